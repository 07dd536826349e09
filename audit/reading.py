"""Who read what of the trail: reading a request is an act, and reading its prompt and answer more so."""

import logging
from datetime import datetime
from typing import Any

from django.db import transaction

from audit import ledger
from audit.actors import Actor
from audit.models import Entry, Payload, Span
from audit.payloads import read
from audit.trail import RequestView

log = logging.getLogger(__name__)


def record_view(request: RequestView, *, by: Actor, now: datetime) -> bool:
    """A person looked at a request. A ledger that takes no entries does not hide what went wrong: it is logged.
    Returns whether it took this one."""
    try:
        ledger.append_alone(
            kind="trail.read",
            by=by,
            subject=f"request:{request.trace_id}",
            system=request.system,
            now=now,
            payload={"request_id": request.request_id, "environment": request.environment},
        )
    except ledger.ReadOnly:
        log.warning("%s read request %s; the ledger takes no entries", by.actor_id, request.trace_id)
        return False
    return True


def reveal_payload(span: Span, *, by: Actor, now: datetime) -> dict[str, Any] | None:
    """Prompt and answer of one span, and the entry that says who read them. Without the entry, nothing is shown."""
    with transaction.atomic():
        ledger.append(
            kind="payload.read",
            by=by,
            subject=f"request:{span.trace_id.hex}",
            system=span.system,
            now=now,
            payload={"span": span.span_id},
        )
        return read(span)


def reveal_entry(entry: Entry, *, by: Actor, now: datetime) -> Any:
    """What an entry of the ledger says in detail; None where it was erased. The reading is an entry itself."""
    with transaction.atomic():
        ledger.append(kind="payload.read", by=by, subject=f"entry:{entry.pk}", system=entry.system, now=now, payload={})
        row = Payload.objects.filter(pk=entry.pk).first()
        return row.read() if row else None
