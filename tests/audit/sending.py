"""What applications send, for the tests of the trail: spans as OTLP JSON; people and tokens are made by actions."""

import itertools
import json
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.actions.people import create_user
from accounts.actions.roles import write_grant
from accounts.actions.tokens import issue_token
from accounts.models import User
from accounts.roles import Role
from audit.actors import SYSTEM

_counter = itertools.count(1)


def nano(moment: datetime) -> int:
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


def new_trace_id() -> str:
    return f"{next(_counter):032x}"


def new_span_id() -> str:
    return f"{next(_counter):016x}"


def span(
    name: str = "chat",
    *,
    trace: str | None = None,
    span_id: str | None = None,
    parent: str = "",
    start: datetime | None = None,
    ms: int = 100,
    kind: int = 1,
    status: dict[str, Any] | None = None,
    events: list[dict[str, Any]] | None = None,
    **attributes: Any,
) -> dict[str, Any]:
    """One span of OTLP JSON. Attribute names are written with two underscores for a dot: `gen_ai__request__model`."""
    start = start or timezone.now() - timedelta(seconds=30)
    return {
        "traceId": trace or new_trace_id(),
        "spanId": span_id or new_span_id(),
        "parentSpanId": parent,
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(nano(start)),
        "endTimeUnixNano": str(nano(start) + ms * 10**6),
        "attributes": pairs({key.replace("__", "."): value for key, value in attributes.items()}),
        "status": status or {},
        "events": events or [],
    }


def pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _any(value)} for key, value in attributes.items()]


def _any(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [_any(item) for item in value]}}
        case dict():
            return {"kvlistValue": {"values": pairs(value)}}
    return {"stringValue": value}


def request_json(*spans: dict[str, Any], resource: dict[str, Any] | None = None) -> bytes:
    scopes = [{"scope": {"name": "tests"}, "spans": list(spans)}]
    return json.dumps(
        {"resourceSpans": [{"resource": {"attributes": pairs(resource or {})}, "scopeSpans": scopes}]}
    ).encode()


def chat_trace(
    *,
    trace: str | None = None,
    start: datetime | None = None,
    release: str = "2026.11.2",
    request_id: str = "",
    **model: Any,
) -> list[dict[str, Any]]:
    """A request of three spans: entry, retrieval with sources, model call with usage."""
    trace, start = trace or new_trace_id(), start or timezone.now() - timedelta(seconds=30)
    entry = span(
        "POST /ask", trace=trace, start=start, ms=500, kind=2,
        readiness__release=release, readiness__request_id=request_id or f"req-{trace[-8:]}",
    )  # fmt: skip
    retrieval = span(
        "retrieve", trace=trace, parent=entry["spanId"], start=start + timedelta(milliseconds=10), ms=50,
        gen_ai__operation__name="retrieval", readiness__source_ids=["doc-1", "doc-2"],
    )  # fmt: skip
    attributes = {
        "gen_ai__operation__name": "chat",
        "gen_ai__provider__name": "openai",
        "gen_ai__request__model": "gpt-4.1-mini",
        "gen_ai__usage__input_tokens": 1000,
        "gen_ai__usage__output_tokens": 100,
        "gen_ai__prompt__name": "answer",
        "gen_ai__prompt__version": "3",
        "readiness__prompt__hash": "sha256:" + "a" * 64,
        "readiness__release": release,
        **model,
    }
    call = span(
        "chat gpt-4.1-mini", trace=trace, parent=entry["spanId"], start=start + timedelta(milliseconds=80), ms=400,
        kind=3, **attributes,
    )  # fmt: skip
    return [entry, retrieval, call]


def person(name: str, *, role: str = "", system: str = "") -> User:
    now = timezone.now()
    user = create_user(email=f"{name}{next(_counter)}@example.com", name=name.title(), by=SYSTEM, now=now)
    if role:
        with transaction.atomic():
            write_grant(
                user=user, role=role, system=system, starts_at=None, ends_at=None, founding=True, by=SYSTEM, now=now
            )
    return user


def ingest_token(
    system: str = "support-bot", environment: str = "production", scopes: tuple[str, ...] = ("ingest",)
) -> str:
    admin = person("admin", role=Role.ADMIN)
    owner = person("owner", role=Role.ENGINEERING, system=system)
    now = timezone.now()
    return issue_token(
        owner=owner, name="tests", scopes=scopes, system=system, environment=environment, by=admin, now=now
    )[1]
