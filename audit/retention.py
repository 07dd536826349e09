"""How long the trail is kept, what is held, and removing what is neither.

Prompts and answers leave first: their day's key is destroyed, which makes every copy of them unreadable, in old dumps
too. Spans leave a whole day at a time, when no system keeps them any longer; the log's leaf hashes stay, so what is
left, and every signed head, still verifies. A legal hold wins over everything, in the database itself.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q

from audit import ledger
from audit.actors import Actor
from audit.models import Call, LegalHold, PayloadKey, Request, Retention
from web.problems import Invalid, NotFound

DAYS, PAYLOAD_DAYS = 400, 400  # where a system says nothing
LEAST = 30
_DAYS = "SELECT relname FROM pg_class WHERE relname ~ '^audit_span_[0-9]{8}$' AND relkind = 'r' ORDER BY relname"


@dataclass(frozen=True, slots=True)
class Removed:
    payload_days: int  # of one system each
    days: int
    held: int  # days that were due, and stay


def set_retention(*, system: str, days: int, payload_days: int, by: Actor, now: datetime) -> Retention:
    if not days >= LEAST or not 1 <= payload_days <= days:
        raise Invalid(f"Requests are kept {LEAST} days or more, prompts from one day up to as long as requests.")
    with transaction.atomic():
        row = Retention.objects.create(
            system=system, days=days, payload_days=payload_days, set_by=by.actor_id, set_at=now
        )
        payload = {"days": days, "payload_days": payload_days}
        ledger.append(kind="retention.set", by=by, subject=f"system:{system}", system=system, now=now, payload=payload)
    return row


def hold(*, system: str, since: date, until: date, reason: str, by: Actor, now: datetime) -> LegalHold:
    """`system` empty: every system. Removing a whole day removes all systems' spans, so a hold keeps the day."""
    if until < since or not reason.strip():
        raise Invalid("A hold has a first and a last day, in this order, and a reason.")
    with transaction.atomic():
        row = LegalHold.objects.create(
            system=system, since=since, until=until, reason=reason.strip(), set_by=by.actor_id, set_at=now
        )
        _record("legal-hold.set", row, by, now)
    return row


def lift(*, hold_id: object, by: Actor, now: datetime) -> LegalHold:
    with transaction.atomic():
        row = LegalHold.objects.select_for_update().filter(pk=str(hold_id), lifted_at=None).first()
        if row is None:
            raise NotFound("There is no such hold, or it was lifted already.")
        row.lifted_by, row.lifted_at = by.actor_id, now
        row.save(update_fields=["lifted_by", "lifted_at"])
        _record("legal-hold.lifted", row, by, now)
    return row


def remove_due(*, by: Actor, now: datetime, report: Callable[[str], None] = lambda line: None) -> Removed:
    """Removes what is due, day by day, each with its entry in the ledger. Run again, it finds nothing more."""
    payload_days = sum(_destroy_key(key, by, now, report) for key in _keys_due(now.date()))
    days = held = 0
    for day in _days_due(now.date()):
        if LegalHold.objects.filter(lifted_at=None, since__lte=day, until__gte=day).exists():
            held += 1
            continue
        days += _drop(day, by, now, report)
    return Removed(payload_days, days, held)


def kept(system: str) -> tuple[int, int]:
    """How many days the system's requests are kept, and their prompts and answers."""
    newest = Retention.objects.filter(system=system).order_by("-set_at", "-pk").first()
    return (newest.days, newest.payload_days) if newest else (DAYS, PAYLOAD_DAYS)


def _keys_due(today: date) -> Iterable[PayloadKey]:
    payload_days: dict[str, int] = {}
    for key in PayloadKey.objects.order_by("day", "system"):
        if key.system not in payload_days:
            payload_days[key.system] = kept(key.system)[1]
        on_hold = LegalHold.objects.filter(
            Q(system="") | Q(system=key.system), lifted_at=None, since__lte=key.day, until__gte=key.day
        )
        if key.day < today - timedelta(days=payload_days[key.system]) and not on_hold.exists():
            yield key


def _destroy_key(key: PayloadKey, by: Actor, now: datetime, report: Callable[[str], None]) -> int:
    with transaction.atomic():
        gone, _ = PayloadKey.objects.filter(pk=key.pk).delete()
        if gone:
            payload = {"day": key.day.isoformat(), "what": "payloads"}
            subject = f"system:{key.system}"
            ledger.append(kind="retention.removed", by=by, subject=subject, system=key.system, now=now, payload=payload)
            report(f"payloads of {key.system} of {key.day}: key destroyed")
    return int(bool(gone))


def _days_due(today: date) -> list[date]:
    systems = set(Retention.objects.values_list("system", flat=True))
    newest = [kept(slug)[0] for slug in systems]
    others = Request.objects.exclude(system__in=systems).exists()
    longest = max([*newest, *([DAYS] if others or not newest else [])])
    with connection.cursor() as cursor:
        cursor.execute(_DAYS)
        days = [datetime.strptime(name[-8:], "%Y%m%d").date() for (name,) in cursor.fetchall()]  # noqa: DTZ007
    return [day for day in days if day < today - timedelta(days=max(longest, LEAST))]


def _drop(day: date, by: Actor, now: datetime, report: Callable[[str], None]) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT public.audit_drop_day(%s)", [day])
        dropped = bool(cursor.fetchone()[0])
        for model in (Request, Call):
            model._default_manager.filter(started_at__date=day).delete()
        if dropped:
            payload = {"day": day.isoformat(), "what": "spans"}
            ledger.append(kind="retention.removed", by=by, subject="trail:spans", now=now, payload=payload)
            report(f"spans of {day}: removed")
    return int(dropped)


def _record(kind: str, row: LegalHold, by: Actor, now: datetime) -> None:
    payload = {"since": row.since.isoformat(), "until": row.until.isoformat(), "reason": row.reason}
    ledger.append(kind=kind, by=by, subject=f"legal-hold:{row.pk}", system=row.system, now=now, payload=payload)
