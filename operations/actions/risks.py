"""The risk register of a system: what could go wrong, what is done about it, by whom, and when to look again."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from django.db import transaction

from accounts.models import User
from accounts.queries import is_member
from audit import canonical, vault
from audit.ledger import append
from jobs.outbox import emit
from operations import rules
from operations.errors import InvalidInput, refuse
from operations.models import Incident, Risk
from operations.queries import person
from systems.models import System


def add_risk(
    *,
    system: System,
    title: str,
    likelihood: int,
    impact: int,
    mitigation: str,
    owner: User,
    review_on: date,
    by: User,
    now: datetime,
    items: Sequence[str] = (),
    incidents: Sequence[Incident] = (),
) -> Risk:
    refuse(rules.keep_risks(person(by, system=system, now=now)))
    _check(system, title, likelihood, impact, mitigation, owner, review_on, incidents, now=now)
    with transaction.atomic():
        risk = Risk.objects.create(
            system=system,
            title=title.strip(),
            likelihood=likelihood,
            impact=impact,
            mitigation=mitigation.strip(),
            owner=owner,
            review_on=review_on,
            items=sorted(set(items)),
            created_by=by,
            created_at=now,
            reviewed_by=by,
            reviewed_at=now,
        )
        risk.incidents.set(incidents)
        _record("risk.added", risk, by=by, now=now, payload=shown(risk))
    return risk


def review_risk(
    *,
    risk: Risk,
    title: str,
    likelihood: int,
    impact: int,
    mitigation: str,
    owner: User,
    review_on: date,
    by: User,
    now: datetime,
    items: Sequence[str] = (),
    incidents: Sequence[Incident] = (),
) -> Risk:
    """Looks at it again: what changed is on the record, and so is that nothing did."""
    with transaction.atomic():
        row = _locked(risk)
        refuse(rules.keep_risks(person(by, system=row.system, now=now), closed=row.state == Risk.State.CLOSED))
        _check(row.system, title, likelihood, impact, mitigation, owner, review_on, incidents, now=now)
        before = shown(row)
        row.title, row.mitigation, row.owner = title.strip(), mitigation.strip(), owner
        row.likelihood, row.impact, row.review_on = likelihood, impact, review_on
        row.items, row.reviewed_by, row.reviewed_at, row.reminded_at = sorted(set(items)), by, now, None
        row.save()
        row.incidents.set(incidents)
        after = shown(row)
        changes = {name: [before[name], value] for name, value in after.items() if before[name] != value}
        _record("risk.reviewed", row, by=by, now=now, payload={"changes": changes})
    return row


def close_risk(*, risk: Risk, reason: str, by: User, now: datetime) -> Risk:
    if not reason.strip():
        raise InvalidInput("Say why it is no risk any more.")
    with transaction.atomic():
        row = _locked(risk)
        refuse(rules.keep_risks(person(by, system=row.system, now=now), closed=row.state == Risk.State.CLOSED))
        row.state = Risk.State.CLOSED
        row.save(update_fields=["state"])
        _record("risk.closed", row, by=by, now=now, payload={"title": row.title, "reason": reason.strip()})
    return row


def keep_register(*, system: System, by: User, now: datetime) -> str:
    """The register as it stands, kept as a record: evidence of the items that ask for it. Returns its digest."""
    refuse(rules.keep_risks(person(by, system=system, now=now)))
    risks = list(Risk.objects.filter(system=system).select_related("owner"))
    if not risks:
        raise InvalidInput("The register is empty: there is nothing to keep.")
    body = canonical.dumps(canonical.plain({"system": system.slug, "at": now, "risks": [shown(one) for one in risks]}))
    with transaction.atomic():
        digest = vault.put(body, kind="record", media_type="application/json", now=now, system=system.slug)
        emit(
            "operations.record-made",
            subject=f"system:{system.slug}",
            payload={"system": system.slug, "record": "risk-register", "title": f"Risk register, {len(risks)} risks",
                     "label": "", "digest": digest, "by": by.actor_id},
            now=now,
        )  # fmt: skip
        append(
            kind="risk.register-kept", by=by, subject=f"system:{system.slug}", system=system.slug, now=now,
            payload={"record": digest, "risks": len(risks)},
        )  # fmt: skip
    return digest


def shown(risk: Risk) -> dict[str, object]:
    return {
        "title": risk.title,
        "likelihood": risk.likelihood,
        "impact": risk.impact,
        "mitigation": risk.mitigation,
        "owner": risk.owner.actor_id,
        "review_on": risk.review_on.isoformat(),
        "items": risk.items,
        "incidents": sorted(str(pk) for pk in risk.incidents.values_list("pk", flat=True)),
        "state": risk.state,
    }


def _check(
    system: System,
    title: str,
    likelihood: int,
    impact: int,
    mitigation: str,
    owner: User,
    review_on: date,
    incidents: Sequence[Incident],
    *,
    now: datetime,
) -> None:
    if not title.strip() or not mitigation.strip():
        raise InvalidInput("A risk has a name, and says what is done about it.")
    if not (1 <= likelihood <= 5 and 1 <= impact <= 5):
        raise InvalidInput("Likelihood and impact go from 1 to 5.")
    if not is_member(owner, system=system.slug, now=now):
        raise InvalidInput(f"{owner} holds no role on {system.name}. Choose somebody who does.")
    if review_on <= now.date():
        raise InvalidInput("The next look lies in the future.")
    if any(incident.system_id != system.pk for incident in incidents):
        raise InvalidInput("An incident of another system is no incident of this one.")


def _locked(risk: Risk) -> Risk:
    return Risk.objects.select_for_update(of=("self",)).select_related("system", "owner").get(pk=risk.pk)


def _record(kind: str, risk: Risk, *, by: User, now: datetime, payload: Mapping[str, object]) -> None:
    append(kind=kind, by=by, subject=f"risk:{risk.pk}", system=risk.system.slug, now=now, payload=payload)
