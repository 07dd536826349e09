"""What the deploy system is told: a signed webhook with retries (operations delivers it), and its answer by id.

Order and state change are one transaction, so nothing is ordered that did not happen, and nothing happens untold.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from audit import ledger
from audit.actors import SYSTEM
from jobs.outbox import emit
from operations.answering import listeners
from releases.actions.opening import label_of
from releases.errors import Refused
from releases.models import Instruction, Release

TOPIC = "releases.instruction"
# A deploy system that has not answered by then needs a person.
PATIENCE = timedelta(minutes=2)


def instruct(
    release: Release, act: Instruction.Act, *, share: Decimal, serves: Release | None, now: datetime, reason: str = ""
) -> Instruction:
    """Orders it, inside the caller's transaction. `serves` gets the traffic that this release does not."""
    row = Instruction.objects.create(
        release=release, act=act, share=share, serves=serves.label if serves else "", reason=reason, ordered_at=now
    )
    emit(TOPIC, subject=f"instruction:{row.pk}", payload=_payload(row), now=now)
    return row


def order_of(row: Instruction) -> str:
    """One line for people."""
    return f"{row.get_act_display().lower()}, {(row.share * 100).normalize():f} % of traffic"


def _payload(row: Instruction) -> dict[str, str]:
    return label_of(row.release) | {
        "instruction": str(row.pk),
        "act": row.act,
        "share": f"{row.share.normalize():f}",
        "serves": row.serves,
        "reason": row.reason,
        "order": order_of(row),
        "acknowledge": f"/api/instructions/{row.pk}/acknowledgement",
    }


def acknowledge(*, instruction_id: UUID, result: str, detail: str, channel: str, now: datetime) -> Instruction:
    """The deploy system's answer, once. The same answer again changes nothing; another one is refused."""
    with transaction.atomic():
        row = (
            Instruction.objects.select_for_update(of=("self",)).select_related("release__system").get(pk=instruction_id)
        )
        if row.result != Instruction.Result.WAITING:
            if row.result != result:
                raise Refused(f"This instruction was answered already: {row.get_result_display().lower()}.")
            return row
        row.result, row.detail, row.answered_at = result, detail[:500], now
        row.save(update_fields=["result", "detail", "answered_at"])
        ledger.append(
            kind="release.instruction-answered",
            by=SYSTEM,
            subject=row.release.subject,
            system=row.release.system.slug,
            now=now,
            payload={
                "instruction": str(row.pk),
                "act": row.act,
                "result": result,
                "detail": row.detail,
                "channel": channel,
                "seconds": (now - row.ordered_at).total_seconds(),
            },
        )
        if result == Instruction.Result.FAILED:
            _alarm(row, f"The deploy system says: {row.detail or 'it failed'}.", now=now)
    return row


def look_at_waiting(*, now: datetime) -> int:
    """Tells people of instructions that the deploy system has not answered in time, once each."""
    waiting = Instruction.objects.filter(result="waiting", overdue_at=None, ordered_at__lte=now - PATIENCE)
    told = 0
    for row in waiting.select_related("release__system"):
        if not listeners(row.release.system, TOPIC):
            continue  # nobody was told, which the page says
        with transaction.atomic():
            if waiting.filter(pk=row.pk).update(overdue_at=now):
                _alarm(row, "The deploy system has not acknowledged it.", now=now)
                told += 1
    return told


def _alarm(row: Instruction, why: str, *, now: datetime) -> None:
    payload = _payload(row) | {"why": why, "breach_at": row.ordered_at.isoformat()}
    emit("releases.instruction-failed", subject=f"instruction:{row.pk}", payload=payload, now=now)
