"""Incidents: opened, followed, mitigated, closed with a post-mortem and what has to be done."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from django.db import transaction
from django.urls import reverse

from accounts.models import User
from accounts.queries import is_member
from audit import canonical, vault
from audit.ledger import append
from jobs.outbox import emit
from operations import rules
from operations.errors import InvalidInput, refuse
from operations.models import FollowUp, Incident, IncidentMoment
from operations.notify import notify
from operations.queries import person
from systems.models import System

WHO = ("operations", "engineering", "product")


def open_incident(
    *,
    system: System,
    title: str,
    severity: str,
    began_at: datetime,
    by: User,
    now: datetime,
    release_label: str = "",
    requests: Sequence[str] = (),
) -> Incident:
    """Says that something is wrong. When it was opened is the server's clock; when it began is what people know."""
    refuse(rules.open_incident(person(by, system=system, now=now)))
    if severity not in Incident.Severity.values:
        raise InvalidInput(f"An incident is one of {', '.join(Incident.Severity.values)}.")
    if began_at > now:
        raise InvalidInput("It began in the future. Check the time.")
    with transaction.atomic():
        incident = Incident.objects.create(
            system=system,
            title=title.strip(),
            severity=severity,
            release_label=release_label,
            requests=[one.strip() for one in requests if one.strip()][:100],
            began_at=began_at,
            opened_by=by,
            opened_at=now,
        )
        payload = {"title": incident.title, "severity": severity, "release": release_label, "began_at": began_at,
                   "requests": incident.requests}  # fmt: skip
        _record("incident.opened", incident, by=by, now=now, payload=payload)
        _tell(incident, "operations.incident-opened", f"{system.name}: {incident.title}", f"{by.name} opened it as "
              f"{severity}.", now=now)  # fmt: skip
    return incident


def note(*, incident: Incident, text: str, by: User, now: datetime) -> IncidentMoment:
    with transaction.atomic():
        row = _locked(incident)
        refuse(rules.work_on_incident(state_of(row), person(by, system=row.system, now=now)))
        moment = IncidentMoment.objects.create(incident=row, at=now, by=by, text=text.strip())
        _record("incident.noted", row, by=by, now=now, payload={"text": moment.text})
    return moment


def mitigate(*, incident: Incident, by: User, now: datetime) -> Incident:
    """Users are served again. This moment ends the measured time; understanding it may take longer."""
    with transaction.atomic():
        row = _locked(incident)
        refuse(rules.mitigate_incident(state_of(row), person(by, system=row.system, now=now)))
        row.state, row.mitigated_at = Incident.State.MITIGATED, now
        row.save(update_fields=["state", "mitigated_at"])
        seconds = int((now - row.began_at).total_seconds())
        _record("incident.mitigated", row, by=by, now=now, payload={"seconds": seconds})
    return row


def add_follow_up(*, incident: Incident, text: str, owner: User, due_on: date, by: User, now: datetime) -> FollowUp:
    """What has to be done so that it does not happen again. It may still be added to a closed incident's list."""
    with transaction.atomic():
        row = _locked(incident)
        refuse(rules.needs_role(person(by, system=row.system, now=now), rules.MAY_FREEZE, "Adding a follow-up"))
        if not is_member(owner, system=row.system.slug, now=now):
            raise InvalidInput(f"{owner} holds no role on {row.system.name}. Choose somebody who does.")
        if due_on < now.date():
            raise InvalidInput("The due date lies in the past.")
        made = FollowUp.objects.create(
            incident=row, text=text.strip(), owner=owner, due_on=due_on, created_by=by, created_at=now
        )
        payload = {"text": made.text, "owner": owner.actor_id, "due_on": due_on}
        _record("incident.follow-up-added", row, by=by, now=now, payload=payload)
    return made


def finish_follow_up(*, follow_up: FollowUp, by: User, now: datetime) -> FollowUp:
    with transaction.atomic():
        row = FollowUp.objects.select_for_update(of=("self",)).select_related("incident__system").get(pk=follow_up.pk)
        asking = person(by, system=row.incident.system, now=now)
        refuse(rules.finish_follow_up(asking, owner=str(row.owner_id), done=row.done_at is not None))
        row.done_by, row.done_at = by, now
        row.save(update_fields=["done_by", "done_at"])
        _record("incident.follow-up-done", row.incident, by=by, now=now, payload={"text": row.text})
    return row


def close_incident(*, incident: Incident, impact: str, cause: str, lessons: str, by: User, now: datetime) -> Incident:
    """Closes it with its post-mortem: who was hit, why it happened, what was learnt. It does not change afterwards."""
    said = {"impact": impact.strip(), "cause": cause.strip(), "lessons": lessons.strip()}
    if empty := [name for name, text in said.items() if not text]:
        raise InvalidInput(f"A post-mortem says {' and '.join(empty)}.")
    with transaction.atomic():
        row = _locked(incident)
        refuse(rules.close_incident(state_of(row), person(by, system=row.system, now=now)))
        row.impact, row.cause, row.lessons = said["impact"], said["cause"], said["lessons"]
        row.state, row.closed_by, row.closed_at = Incident.State.CLOSED, by, now
        row.save(update_fields=["impact", "cause", "lessons", "state", "closed_by", "closed_at"])
        body = canonical.dumps(canonical.plain(record_of(row)))
        digest = vault.put(body, kind="record", media_type="application/json", now=now, system=row.system.slug)
        emit(
            "operations.record-made",
            subject=f"incident:{row.pk}",
            payload={"system": row.system.slug, "record": "postmortem", "title": f"Post-mortem: {row.title}",
                     "label": row.release_label, "digest": digest, "by": by.actor_id},
            now=now,
        )  # fmt: skip
        _record("incident.closed", row, by=by, now=now, payload={**said, "record": digest})
        _tell(row, "operations.incident-closed", f"Closed: {row.title}", row.lessons, now=now)
    return row


def state_of(incident: Incident) -> rules.IncidentState:
    return rules.IncidentState(state=incident.state)


def record_of(incident: Incident) -> dict[str, object]:
    """A closed incident as the structured record that evidence holds."""
    return {
        "incident": str(incident.pk),
        "title": incident.title,
        "severity": incident.severity,
        "release": incident.release_label,
        "requests": incident.requests,
        "began_at": incident.began_at,
        "opened_at": incident.opened_at,
        "mitigated_at": incident.mitigated_at,
        "closed_at": incident.closed_at,
        "impact": incident.impact,
        "cause": incident.cause,
        "lessons": incident.lessons,
        "timeline": [
            {"at": moment.at, "by": moment.by.actor_id, "text": moment.text}
            for moment in incident.moments.select_related("by")
        ],
        "follow_ups": [
            {"text": one.text, "owner": one.owner.actor_id, "due_on": one.due_on.isoformat(), "done_at": one.done_at}
            for one in incident.follow_ups.select_related("owner")
        ],
    }


def _locked(incident: Incident) -> Incident:
    return Incident.objects.select_for_update(of=("self",)).select_related("system").get(pk=incident.pk)


def _tell(incident: Incident, topic: str, title: str, body: str, *, now: datetime) -> None:
    system = incident.system
    notify(
        topic=topic,
        system=system,
        subject=f"incident:{incident.pk}",
        title=title,
        body=body,
        url=reverse("operations:incident", args=[system.slug, incident.pk]),
        now=now,
        roles=WHO,
        key=f"{topic}:{incident.pk}",
    )


def _record(kind: str, incident: Incident, *, by: User, now: datetime, payload: Mapping[str, object]) -> None:
    append(kind=kind, by=by, subject=f"incident:{incident.pk}", system=incident.system.slug, now=now, payload=payload)
