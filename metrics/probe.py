"""The contract probe: known-bad inputs sent to a team's own staging address, and what came back.

A control goes first: an input that fits has to be taken, since a server that refuses everything proves nothing. Each
bad input is bad by the pinned schema or limit itself, checked before it is sent; each has to be refused as the caller's
fault (4xx). An answer about who asks, or how often (401, 403, 404, 405, 408, 429), says nothing about the contract.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from audit.contract import validator
from audit.redaction import redact
from metrics import egress

LIMITS = egress.Limits(connect=3, read=5, total=5, max_bytes=64 * 1024)
MOST_SECONDS = 40.0
MAX_CASES = 24
SAID = 500  # characters of an answer that are kept
_ABOUT_THE_CALLER = frozenset({401, 403, 404, 405, 408, 429})


@dataclass(frozen=True)
class Case:
    name: str
    body: str
    bad: bool = True


@dataclass(frozen=True)
class Sent:
    name: str
    sent: str
    status: int | None  # None: no whole answer came
    said: str
    request_id: str
    outcome: str  # refused, accepted, unclear


@dataclass(frozen=True)
class Probe:
    control: Sent
    cases: tuple[Sent, ...]
    unsent: int  # for want of time

    @property
    def passed(self) -> bool:
        refused = bool(self.cases) and all(case.outcome == "refused" for case in self.cases)
        return self.control.outcome == "accepted" and refused and not self.unsent

    def body(self) -> dict[str, Any]:
        return {"passed": self.passed, **asdict(self)}


def run(
    url: str,
    schema: Mapping[str, Any],
    *,
    example: Any,
    max_chars: int | None,
    headers: Mapping[str, str],
    report: Callable[[int, int], None] = lambda done, of: None,
) -> Probe:
    """Asks one after the other. `report` hears how many bad inputs were answered, of how many."""
    end = time.monotonic() + MOST_SECONDS
    control = _send(url, Case("control: an input that fits", json.dumps(example), bad=False), headers)
    bad = list(bad_inputs(schema, example=example, max_chars=max_chars))[:MAX_CASES]
    sent = []
    for done, case in enumerate(bad):
        report(done, len(bad))
        if time.monotonic() + LIMITS.total > end:
            break
        sent.append(_send(url, case, headers))
    return Probe(control, tuple(sent), len(bad) - len(sent))


def bad_inputs(schema: Mapping[str, Any], *, example: Any, max_chars: int | None) -> Iterator[Case]:
    """Each one thing away from an input that fits. What the schema would allow is not among them."""
    yield Case("cut JSON", json.dumps(example)[:-1] or "{")
    allowed = validator(schema).is_valid
    for name, value in _changed(schema, example):
        if not allowed(value):
            yield Case(name, json.dumps(value))
    if max_chars is not None and (text := _first_text(example)) is not None:
        yield Case("longer than the contract's context", json.dumps({**example, text: "x" * (max_chars + 1)}))


def example_of(schema: Mapping[str, Any]) -> Any:
    """A small value that fits, or None where this plain way finds none: then the caller gives one."""
    value = _sample(schema, 0)
    return value if validator(schema).is_valid(value) else None


def _changed(schema: Mapping[str, Any], example: Any) -> Iterator[tuple[str, Any]]:
    yield from (("null", None), ("a list of it", [example]), ("a text instead", "known bad"))
    if not isinstance(example, dict):
        return
    yield "empty object", {}
    yield "an unknown member", {**example, "readiness_probe": 1}
    for name, value in example.items():
        yield f"without {name}", {key: item for key, item in example.items() if key != name}
        yield f"{name} of another type", {**example, name: {"readiness": "probe"} if isinstance(value, str) else "x"}
        limit = schema.get("properties", {}).get(name, {}).get("maxLength")
        if isinstance(value, str) and isinstance(limit, int):
            yield f"{name} too long", {**example, name: "x" * (limit + 1)}


def _first_text(example: Any) -> str | None:
    if not isinstance(example, dict):
        return None
    return next((name for name, value in example.items() if isinstance(value, str)), None)


def _sample(schema: Any, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > 8:
        return None
    for known in ("const", "default"):
        if known in schema:
            return schema[known]
    if options := schema.get("examples") or schema.get("enum"):
        return options[0]
    kind = schema.get("type")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            members = schema.get("properties", {})
            wanted = [name for name in members if name in schema.get("required", members)] or list(members)
            return {name: _sample(members[name], depth + 1) for name in wanted}
        case "array":
            return [_sample(schema.get("items", {}), depth + 1) for _ in range(schema.get("minItems", 0))]
        case "string":
            return "probe".ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength", 100)]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
    return None


def _send(url: str, case: Case, headers: Mapping[str, str]) -> Sent:
    try:
        answer = egress.fetch(
            url,
            method="POST",
            headers={**headers, "Content-Type": "application/json"},
            content=case.body.encode(),
            limits=LIMITS,
        )
    except egress.EgressFailed as error:
        return Sent(case.name, case.body[:SAID], None, str(error), "", "unclear")
    said = redact(answer.body.decode("utf-8", "replace"))[:SAID]
    quoted = answer.headers.get("x-request-id") or answer.headers.get("request-id") or ""
    return Sent(case.name, case.body[:SAID], answer.status, said, redact(quoted)[:200], _outcome(answer.status))


def _outcome(status: int) -> str:
    if 200 <= status < 300:
        return "accepted"
    return "refused" if 400 <= status < 500 and status not in _ABOUT_THE_CALLER else "unclear"
