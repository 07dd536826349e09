"""Requests out of spans, some seconds after their batch came, and again when more of the same trace comes.

Runs along the request log: every batch is looked at once, in order, and the traces it touches are summed up from all of
their spans that are there. So a span that comes late, or before its parent, changes the request it belongs to, and the
rollups with it (audit.rollups).
"""

from collections import defaultdict, namedtuple
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from json import loads
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Case, F, Lookup, TextField, When
from django.db.models.functions import Cast
from msgspec.structs import asdict

from audit import canonical, environments
from audit.approval import SCHEMAS, Approved, judge
from audit.copying import copy_into
from audit.fingerprints import approvals_of
from audit.models import Call, Request, Span, SpanBatch, SpanLog, Unapproved
from audit.rollups import Delta
from audit.summary import EVENT, SPAN_FACTS, RequestSummary, summarise
from jobs.outbox import emit
from web.ids import uuid7

# Most traces are whole by then: the exporter of an ordinary SDK sends every five seconds.
QUIET = timedelta(seconds=5)
ALARM_EVERY = timedelta(hours=1)
# Spans of one trace lie this near to the ones that came with it, or to the request that they made before.
_AROUND = timedelta(days=2)
_AT_ONCE = 2_000  # traces in one transaction: its rows are held in memory
_LOCK = (0x5244, 3)
# What summing up and rollups read of a span, plus the batch that it came with. Tuples of these are a third of the price
# of model instances.
_SPAN_COLUMNS = (*SPAN_FACTS, "component", "batch_id")
_Facts = cast(Any, namedtuple("_Facts", _SPAN_COLUMNS))
# The attributes of a span are read only where they name a schema. As text, since a JSON column costs each row that has
# none as well.
_ATTRIBUTES = Case(When(attributes__has_any_keys=list(SCHEMAS), then=Cast("attributes", TextField())))

type Key = tuple[str, str, UUID]


def derive(*, now: datetime, at_most: int | None = None) -> int:
    """Derives what is quiet, in `at_most` rounds where given. Returns how many requests were written."""
    written = 0
    for _ in range(at_most) if at_most else count():
        with transaction.atomic(), _alone() as mine:
            batches = _quiet_batches(now) if mine else []
            if not batches:
                return written
            written += _derive(batches, now)
            last = batches[-1]
            SpanLog.objects.update(derived_to=(last.first_index or 0) + last.count)
    return written


def row_of(summary: RequestSummary, approvals: Iterable[Approved], *, now: datetime) -> Any:
    """The row of `Request` that a summary makes, judged by what was approved when it started.

    A plain object with the model's fields, since most are only copied, and an instance of a model is dear to make.
    """
    finding = judge(summary.seen, approvals, at=summary.started_at)
    missing = set(finding.missing)
    if summary.calls and not summary.prompt_hashes:
        missing.add("prompt_hash")  # whatever a release pins: a model was asked, and nothing says with which prompt
    fields = asdict(summary) | {
        "id": uuid7(),
        "models_seen": list(summary.models_seen),
        "source_ids": None if summary.source_ids is None else list(summary.source_ids),
        "flags": [*summary.flags, *(f"{key.replace('_', '-')}-not-reported" for key in sorted(missing))],
        "calls": len(summary.calls),
        "calls_unknown": sum([call.cost_nanousd is None for call in summary.calls]),
        "approval": finding.state,
        "approved_release_id": finding.release_id,
        "derived_at": now,
    }
    return SimpleNamespace(**fields)


def _quiet_batches(now: datetime) -> list[SpanBatch]:
    derived_to = SpanLog.objects.get().derived_to
    found = SpanBatch.objects.filter(first_index__gte=derived_to).defer("leaves").order_by("first_index")[:_AT_ONCE]
    quiet: list[SpanBatch] = []
    traces = 0
    for batch in found.iterator(chunk_size=50):
        traces += len(batch.traces)
        if batch.received_at > now - QUIET or (quiet and traces > _AT_ONCE):
            break
        quiet.append(batch)
    return quiet


def _derive(batches: Sequence[SpanBatch], now: datetime) -> int:
    touched: set[Key] = {(batch.system, batch.environment, trace) for batch in batches for trace in batch.traces}
    old = {
        key: row
        for row in Request.objects.filter(_of_traces(touched))
        if (key := (row.system, row.environment, row.trace_id)) in touched
    }
    groups = _spans_of(touched, batches, old)
    delta = Delta()
    _take_out(old, delta)
    approvals = {system: approvals_of(system) for system in {key[0] for key in groups}}
    new_batches = {batch.pk for batch in batches}
    rows: list[Any] = []
    calls: list[Any] = []
    schemas = {}
    for key, group in groups.items():
        summary = summarise(group)
        row = row_of(summary, approvals[key[0]], now=now)
        before = old.get(key)
        if before:
            row.id = before.id
        rows.append(row)
        schemas[key] = sorted(summary.schemas)
        calls += _call_rows(summary)
        for span in group:
            if span.kind == EVENT:
                continue
            delta.span(span, row.release, +1)
            if before and span.batch_id not in new_batches:
                delta.span(span, before.release, -1)
    copy_into(Request, rows)
    copy_into(Call, calls)
    for row in rows:
        delta.request(row, +1)
    for call in calls:
        delta.call(call, +1)
    delta.apply()
    _watch_unapproved(rows, old, schemas, now)
    return len(rows)


def _spans_of(touched: set[Key], batches: Sequence[SpanBatch], old: Mapping[Key, Request]) -> dict[Key, list[Any]]:
    """All spans of these traces that are there. The time spares looking through every day's partition."""
    times = [at for batch in batches for at in (batch.first_at, batch.last_at) if at] or [
        batch.received_at for batch in batches
    ]
    times += [row.started_at for row in old.values()]
    spans = Span.objects.filter(
        _of_traces(touched),
        started_at__gte=min(times) - _AROUND,
        started_at__lte=max(times) + _AROUND,
    ).values_list(*(_ATTRIBUTES if name == "attributes" else name for name in _SPAN_COLUMNS))
    groups: dict[Key, list[Any]] = {key: [] for key in touched}
    for span in map(_Facts._make, spans.iterator(chunk_size=5_000)):
        group = groups.get((span.system, span.environment, span.trace_id))
        if group is not None:
            group.append(span._replace(attributes=loads(span.attributes)) if span.attributes else span)
    return {key: group for key, group in groups.items() if group}


class _AnyOf(Lookup):
    """`__in` with one array, instead of a parameter for each of thousands of ids: less to write, parse and plan."""

    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, values = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s)", (*values, self.rhs)


def _of_traces(keys: Iterable[Key]) -> _AnyOf:
    return _AnyOf(F("trace_id"), list({trace for _, _, trace in keys}))


def _take_out(old: Mapping[Key, Request], delta: Delta) -> None:
    """Removes what was derived from the same traces before, and what that added to the sums."""
    if not old:
        return
    for row in old.values():
        delta.request(row, -1)
    calls = [
        call for call in Call.objects.filter(_of_traces(old)) if (call.system, call.environment, call.trace_id) in old
    ]
    for call in calls:
        delta.call(call, -1)
    Call.objects.filter(pk__in=[call.pk for call in calls]).delete()
    Request.objects.filter(pk__in=[row.pk for row in old.values()]).delete()


def _call_rows(summary: RequestSummary) -> list[Any]:
    of_all = {"system": summary.system, "environment": summary.environment, "trace_id": summary.trace_id}
    return [SimpleNamespace(id=uuid7(), **of_all, **asdict(call)) for call in summary.calls]


def _watch_unapproved(
    rows: Iterable[Request], old: Mapping[Key, Request], schemas: Mapping[Key, list[str]], now: datetime
) -> None:
    """Keeps what unapproved traffic looks like, and says so: at once when it is new, then hourly while it lasts."""
    new: defaultdict[tuple[Any, ...], list[Request]] = defaultdict(list)
    for row in rows:
        key = (row.system, row.environment, row.trace_id)
        before = old.get(key)
        if row.approval == Request.Approval.UNAPPROVED and (before is None or before.approval != row.approval):
            new[*key[:2], row.prompt_hash, tuple(row.models_seen), row.release, tuple(schemas[key])].append(row)
    for (system, environment, *_), found in new.items():
        if environments.aside(system).filter(name=environment).exists():
            continue  # a test tries what nobody has approved yet
        latest = max(found, key=lambda row: row.started_at)
        fingerprint = _fingerprint(latest, schemas[system, environment, latest.trace_id])
        seen, created = Unapproved.objects.get_or_create(
            system=system,
            environment=environment,
            digest=canonical.digest(fingerprint),
            defaults={
                "fingerprint": fingerprint,
                "first_seen": min(row.started_at for row in found),
                "last_seen": latest.started_at,
                "example_trace": latest.trace_id,
                "alarmed_at": now,
            },
        )
        alarm = created or seen.alarmed_at <= now - ALARM_EVERY
        seen.requests += len(found)
        seen.last_seen, seen.example_trace = max(seen.last_seen, latest.started_at), latest.trace_id
        seen.alarmed_at = now if alarm else seen.alarmed_at
        seen.save()
        if alarm:
            emit(
                "audit.unapproved-traffic",
                subject=f"system:{system}",
                payload={
                    "system": system,
                    "environment": environment,
                    "fingerprint": seen.fingerprint,
                    "requests": seen.requests,
                    "trace_id": latest.trace_id.hex,
                },
                now=now,
            )


def _fingerprint(row: Request, schemas: list[str]) -> dict[str, object]:
    shown: dict[str, object] = {"prompt_hash": row.prompt_hash, "models": row.models_seen, "release": row.release}
    return shown | {"schemas": schemas} if schemas else shown


@contextmanager
def _alone() -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", list(_LOCK))
        yield bool(cursor.fetchone()[0])
