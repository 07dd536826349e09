"""What happens elsewhere and concerns people. Registered by topic; an event that comes twice is told once."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from accounts.models import User
from accounts.roles import CONFIRMED_ROLES, Role
from audit.actors import names
from jobs.models import Event
from jobs.outbox import on
from operations.actions.reviews import note_end, note_launch
from operations.health_watch import weigh_drift
from operations.notify import notify
from operations.presenters import HEARD, TOPICS, address, sentences
from systems.models import System


def tell_people(event: Event) -> None:
    presenter = TOPICS[event.topic]
    if event.payload.get("role", Role.PRODUCT) not in CONFIRMED_ROLES:
        return  # only roles that sign, verify or administer are announced
    system = System.objects.filter(slug=event.payload.get("system", "")).first()
    title, body = sentences(event.topic, _words(event, system))
    notify(
        topic=event.topic,
        system=system,
        subject=event.subject,
        title=title,
        body=body,
        url=address(event.topic, event.payload),
        now=timezone.now(),
        roles=presenter.roles,
        people=User.objects.filter(is_active=True, pk__in=event.payload.get("contacts", ())),
        key=f"event:{event.pk}",
        breach_at=_breach(event) if presenter.alarm else None,
        details=event.payload if presenter.machine else None,
    )


def _words(event: Event, system: System | None) -> dict[str, Any]:
    """The payload, which carries ids and labels, with the names that people know."""
    payload = event.payload
    who = payload.get("user") or event.subject.removeprefix("user:")
    where = system.name if system else payload.get("system") or "the whole organisation"
    words = {**payload, "system": where, "where": where, "name": names([f"user:{who}"]).get(f"user:{who}", "")}
    if "restored" in payload:
        restored = payload["restored"]
        words["serves"] = (
            f"{restored} serves now." if restored else "Nothing was there to restore: the fallback serves."
        )
    if "consumers" in payload:
        words["told"] = ", ".join(payload["consumers"])
        words["breaking"] = _breaking(payload)
    return words


def _breaking(payload: dict[str, Any]) -> str:
    if not payload["breaks"]:
        return "Nothing that its consumers rely on breaks."
    return (
        f"It is a breaking change: {'; '.join(payload['breaks'][:3])}. "
        f"The version before counts for {payload['window_days']} more days."
    )


def _breach(event: Event) -> datetime:
    """When it began, where the event says so; else when it was noticed."""
    said = event.payload.get("breach_at")
    return datetime.fromisoformat(said) if said else event.created_at


for topic in HEARD:
    on(topic)(tell_people)


@on("releases.promoted")
def note_that_it_serves(event: Event) -> None:
    """From now on reviews are owed: the one after this launch in seven days."""
    system = System.objects.filter(slug=event.payload.get("system", "")).first()
    if system is not None:
        note_launch(system=system, label=event.payload["label"], at=event.created_at, now=timezone.now())


@on("releases.rolled-back")
@on("releases.canary-breach")
def note_that_it_ended(event: Event) -> None:
    system = System.objects.filter(slug=event.payload.get("system", "")).first()
    if system is not None:
        restored = event.payload.get("restored") or ""
        note_end(system=system, label=event.payload["label"], restored=restored, at=event.created_at)


@on("metrics.drift-reported")
def weigh_the_week(event: Event) -> None:
    """The week's report is there: a week that drifted freezes the system, a stable one ends the alarm."""
    system = System.objects.filter(slug=event.payload["system"]).first()
    if system is not None:
        weigh_drift(
            system, drifted=event.payload["drifted"], said=event.payload["said"], at=event.created_at,
            now=timezone.now(),
        )  # fmt: skip
