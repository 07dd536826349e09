"""From wire spans to rows: mapped, checked, redacted, priced, hashed. One bad span never spoils its batch."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any
from uuid import UUID

from audit import canonical
from audit.contract import IngestProfile, Outcome, PayloadMode, check_span
from audit.ingest import policy
from audit.ingest.mapping import Reading, read_span
from audit.ingest.names import content_side
from audit.ingest.rows import SpanRow, leaf_bytes
from audit.ingest.shape import MAX_LABEL, Shape, shape_of
from audit.ingest.wire import BadSpan, WireSpan, tidy
from audit.merkle import leaf_hash
from audit.payloads import DataKey, span_name
from audit.pricing import NANO, Price, parse_prices, price_call
from audit.redaction import redact, redact_value
from audit.usage import BILLED

MAX_AGE = timedelta(hours=48)
MAX_AHEAD = timedelta(minutes=5)
MAX_LEAF = 64 * 1024
MAX_SOURCES = 200
MAX_ATTRIBUTE = 4_096
_CUT = "…[cut]"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Source:
    """Where a batch comes from: fixed by its token, not by its data."""

    system: str
    environment: str
    profile_number: int
    profile: IngestProfile


@dataclass(slots=True)
class Prepared:
    row: SpanRow
    leaf_hash: bytes
    payload: tuple[UUID, bytes] | None  # data key, sealed document


@dataclass(slots=True)
class Batch:
    spans: list[Prepared] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    unsafe: Counter[str] = field(default_factory=Counter)  # what the data policy denies, attempts that failed included


def days_of(spans: Iterable[WireSpan], *, now: datetime, max_age: timedelta = MAX_AGE) -> set[date]:
    """The UTC days on which the storable spans of a batch started."""
    untimely = _timeliness(now, max_age)
    days = {span.start_ns // _DAY_NS for span in spans if untimely(span) is None}
    return {(_EPOCH + timedelta(days=day)).date() for day in days}


def prepare(
    spans: Iterable[WireSpan],
    *,
    source: Source,
    keys: Mapping[date, DataKey],
    now: datetime,
    max_age: timedelta = MAX_AGE,
) -> Batch:
    batch = Batch()
    prices = _prices(canonical.dumps(source.profile.prices))
    resources: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
    untimely = _timeliness(now, max_age)
    found: Counter[str] = Counter()  # of one span; made once
    unsafe: Counter[str] = Counter()
    for span in spans:
        try:
            if reason := untimely(span):
                raise BadSpan(reason)
            span.check()
            found.clear()
            unsafe.clear()
            # Spans of one batch share their resource: it is cleaned once.
            if id(span.resource) not in resources:
                plain = tidy(span.resource)
                plain = shape_of(plain, profile=source.profile).without_denied(plain, batch.unsafe)
                resources[id(span.resource)] = (plain, _clean(plain, batch.found))
            span.resource, resource = resources[id(span.resource)]
            try:
                batch.spans.append(_prepare_one(span, resource, source, prices, keys, found, unsafe))
            finally:
                if unsafe:
                    batch.unsafe.update(unsafe)
            if found:
                batch.found.update(found)
        except BadSpan as error:
            batch.refused[str(error)] += 1
    return batch


def _timeliness(now: datetime, max_age: timedelta) -> Callable[[WireSpan], str | None]:
    """Says of a span why its time is not taken, where it is not."""
    second = 10**9
    since_epoch = (now - _EPOCH) // timedelta(microseconds=1) * 1000
    latest = since_epoch + MAX_AHEAD // timedelta(seconds=1) * second
    earliest = since_epoch - max_age // timedelta(seconds=1) * second
    too_early = f"it started more than {max_age // timedelta(hours=1)} hours ago"

    def untimely(span: WireSpan) -> str | None:
        if span.start_ns > latest:
            return "it starts more than 5 minutes in the future"
        return too_early if span.start_ns < earliest else None

    return untimely


def _started(span: WireSpan) -> datetime:
    return _EPOCH + timedelta(microseconds=span.start_ns // 1000)


def _prepare_one(
    span: WireSpan,
    resource: dict[str, Any],
    source: Source,
    prices: Mapping[str, Price],
    keys: Mapping[date, DataKey],
    found: Counter[str],
    unsafe: Counter[str],
) -> Prepared:
    attributes = tidy(span.attributes)
    shape = shape_of(attributes, profile=source.profile, resource=span.resource)
    span.attributes = shape.without_denied(attributes, unsafe)
    reading = read_span(span, shape.places)
    if reading.kind in BILLED and not _counts(span, source.profile):
        reading.kind = "chain"  # a step around the call, which another instrumentation reports
    plain, content = _split(span.attributes, shape)
    row = _row(span, reading, source, found)
    if span.events:
        row.events = _events(span, content, source.profile, found, unsafe)
    outcome = _checked(span, reading, content["input"], source.profile)
    row.resource, row.attributes = resource, _labelled(plain, shape, found)
    row.cost_nanousd, row.price_source = _cost(reading, prices, row.started_at)
    row.input_ok, row.output_ok, row.contract_source = outcome.input_ok, outcome.output_ok, outcome.source
    row.flags = [*outcome.flags, *_label_flags(reading, source), *policy.prompt_flags(reading, source.profile)]
    sealed = _sealed(row, content, source.profile.payload_mode, keys[row.started_at.date()], found)
    row.redactions = found.total()
    policy.refuse_unsafe(unsafe, found, source.profile)
    leaf = leaf_bytes(row)
    if len(leaf) > MAX_LEAF:
        raise BadSpan(f"its attributes and events have more than {MAX_LEAF} bytes")
    return Prepared(row, leaf_hash(leaf), sealed)


def _sealed(
    row: SpanRow, content: dict[str, dict[str, Any]], mode: PayloadMode, key: DataKey, found: Counter[str]
) -> tuple[UUID, bytes] | None:
    """Prompt and answer as the profile has them kept, encrypted; the row gets their commitments in any case."""
    if not any(content.values()):
        return None
    name = span_name(row.system, row.trace_id, row.span_id)
    # Over what was sent: the commitment says what the prompt was, even where only its redacted text is kept.
    row.input_commitment = key.commit(name, "input", content["input"]) if content["input"] else None
    row.output_commitment = key.commit(name, "output", content["output"]) if content["output"] else None
    kept = content if mode == "raw" else redact_value(content, found)
    return None if mode == "none" else (key.id, key.seal(name, {"mode": mode, **kept}))


def _row(span: WireSpan, reading: Reading, source: Source, found: Counter[str]) -> SpanRow:
    """What is known from the span alone; check, price and content are filled in by the caller."""
    sources = reading.source_ids
    said = zip(_LABELS, _labels_of(reading), strict=True)
    labels: Any = {name: redact(text, found)[:MAX_LABEL] for name, text in said if text}
    return SpanRow(
        system=source.system,
        environment=source.environment,
        trace_id=_trace_id(span.trace_id),
        span_id=span.span_id.hex(),
        parent_id=span.parent_id.hex(),
        started_at=_started(span),
        duration_us=span.end_ns // 1000 - span.start_ns // 1000,
        name=redact(tidy(span.name), found)[:MAX_LABEL],
        kind=reading.kind,
        service=redact(str(span.resource.get("service.name", "")), found)[:MAX_LABEL],
        scope=redact(tidy(span.scope), found)[:MAX_LABEL],
        otlp_kind=span.kind if 0 <= span.kind <= 5 else 0,
        failed=reading.failed,
        status_message=redact(tidy(span.status_message), found)[:MAX_ATTRIBUTE],
        prompt_hash_source=reading.prompt_hash_source,
        tokens_in=reading.tokens_in,
        tokens_out=reading.tokens_out,
        tokens_cached=reading.tokens_cached,
        source_ids=None if sources is None else [redact(text, found)[:MAX_LABEL] for text in sources[:MAX_SOURCES]],
        retries=reading.retries,
        timed_out=reading.timed_out,
        handoff=reading.handoff,
        **labels,
    )


# The spans of a trace come together, and a UUID is dear to make.
_trace_id = lru_cache(maxsize=4096)(lambda sent: UUID(bytes=sent))
_LABELS = (
    "component",
    "error_type",
    "request_id",
    "release",
    "tenant",
    "prompt_name",
    "prompt_version",
    "prompt_hash",
    "model_requested",
    "model_answered",
    "provider",
    "response_id",
    "fallback",
)
_labels_of = attrgetter(*_LABELS)


def _checked(span: WireSpan, reading: Reading, asked: Mapping[str, Any], profile: IngestProfile) -> Outcome:
    return check_span(
        profile,
        kind=reading.kind,
        input_text=reading.input_text,
        output_text=reading.output_text,
        input_claimed=reading.input_valid,
        output_claimed=reading.output_valid,
        context_chars=sum(map(_characters, asked.values())),
        tokens_out=reading.tokens_out,
        duration_ms=(span.end_ns - span.start_ns) // 1_000_000,
        retries=reading.retries,
        component=reading.component,
        error_type=reading.error_type,
    )


def _counts(span: WireSpan, profile: IngestProfile) -> bool:
    return not profile.count_scopes or span.scope in profile.count_scopes


def _split(attributes: dict[str, Any], shape: Shape) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Attributes, and apart from them those that carry prompt and answer."""
    if len(shape.plain) == len(attributes):
        return attributes, {"input": {}, "output": {}}
    plain, asked, answered = (
        {name: attributes[name] for name in names} for names in (shape.plain, shape.input, shape.output)
    )
    return plain, {"input": asked, "output": answered}


def _labelled(plain: dict[str, Any], shape: Shape, found: Counter[str]) -> dict[str, Any]:
    """`_clean` of plain attributes, whose names are clean already."""
    if shape.found:
        found.update(shape.found)
    return dict(zip(shape.labels, [_clean(value, found) for value in plain.values()], strict=True))


def _events(
    span: WireSpan,
    content: dict[str, dict[str, Any]],
    profile: IngestProfile,
    found: Counter[str],
    unsafe: Counter[str],
) -> list[dict[str, Any]]:
    """Events with their texts cleaned. Older conventions send prompts and answers as events: that part is content."""
    result = []
    for number, event in enumerate(span.events):
        attributes = tidy(event.attributes)
        shape = shape_of(attributes, profile=profile)
        attributes = shape.without_denied(attributes, unsafe)
        cleaned: dict[str, Any] = {}
        if side := content_side(event.name):
            content[side][f"{event.name}.{number}"] = attributes
        else:
            plain, inside = _split(attributes, shape)
            for part, values in inside.items():
                content[part].update({f"{event.name}.{number}.{key}": value for key, value in values.items()})
            cleaned = _labelled(plain, shape, found)
        result.append(
            {
                "name": redact(tidy(event.name), found)[:MAX_LABEL],
                "offset_us": max(-(2**53), min((event.at_ns - span.start_ns) // 1000, 2**53)) if event.at_ns else None,
                "attributes": cleaned,
            }
        )
    return result


def _clean(value: Any, found: Counter[str]) -> Any:
    """Without personal data, and only then cut: an address must not be cut into something that is not one."""
    if isinstance(value, str):
        text = redact(value, found)
        return text if len(text) <= MAX_ATTRIBUTE else text[: MAX_ATTRIBUTE - len(_CUT)] + _CUT
    if isinstance(value, dict):
        return {redact(key, found)[:MAX_LABEL]: _clean(item, found) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, found) for item in value]
    return value


def _characters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_characters, value.values()))
    return sum(map(_characters, value)) if isinstance(value, list) else 0


def _label_flags(reading: Reading, source: Source) -> list[str]:
    """The token decides what a span belongs to; a sender that says otherwise is shown, not believed."""
    flags = []
    if reading.system_label not in ("", source.system):
        flags.append("system-differs")
    if reading.environment_label not in ("", source.environment):
        flags.append("environment-differs")
    return flags


def _cost(reading: Reading, prices: Mapping[str, Price], at: datetime) -> tuple[int | None, str]:
    if reading.kind not in BILLED:
        return None, ""
    priced = price_call(
        prices=prices,
        models=tuple(filter(None, (reading.model_answered, reading.model_requested))),
        provider=reading.provider,
        tokens_in=reading.tokens_in,
        tokens_out=reading.tokens_out,
        cached_in=reading.tokens_cached,
        at=at,
    )
    if priced is not None:
        return priced.nanousd, priced.source
    if reading.claimed_cost_usd is not None:
        return int(reading.claimed_cost_usd * NANO), "claimed"
    return None, ""


@lru_cache(maxsize=64)
def _prices(table: bytes) -> dict[str, Price]:
    return parse_prices(canonical.loads(table))  # type: ignore[arg-type]
