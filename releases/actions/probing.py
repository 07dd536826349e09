"""The contract probe of a release: ordered by a person, run by a worker against the pinned schema, kept as evidence.

1. Ordering asks the rules before anything leaves the house, and writes the row, the job and the entry together.
2. The worker sends outside of any transaction. A worker that is killed sends again: the inputs change nothing.
3. One transaction attaches what came back, whatever it was, and closes the probe: of two workers one does.
4. A job that is given up closes it too, so that no login outlives the probe that it was for.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import User
from audit import canonical
from audit.actors import SYSTEM
from audit.contract import validator
from audit.secrets import decrypt, encrypt
from jobs.models import Job
from jobs.queue import enqueue, report
from metrics import egress, probe
from releases import rules
from releases.actions.checklist import attach_evidence
from releases.actions.items import item_of, record
from releases.errors import InvalidInput, refuse
from releases.locking import lock
from releases.models import ContractProbe, Evidence, Release
from releases.people import item_view, person
from systems.kinds import Kind
from systems.registry import content_of
from web.problems import Problem

TASK = "releases.probe_contract"
ACCEPTED_AS = "record:contract.probe"


def order_probe(
    *,
    release_id: UUID,
    key: str,
    url: str,
    by: User,
    now: datetime,
    example: Any = None,
    headers: Mapping[str, str] | None = None,
    via: str = "",
    revision: int | None = None,
) -> ContractProbe:
    """One at a time for an item. Headers (a login) are kept encrypted until it has run, and never recorded."""
    with transaction.atomic():
        release = lock(release_id)
        item, definition = item_of(release, key, revision)
        refuse(rules.attach_refusals(person(by, release, now=now), item_view(item, definition, release)))
        _planned(release, example)
        try:
            egress.check_url(url)
        except egress.EgressError as error:
            raise InvalidInput(str(error)) from error
        open_keys = [one.job_key for one in item.probes.filter(outcome=ContractProbe.Outcome.RUNNING)]
        if Job.objects.filter(key__in=open_keys, state__in=[Job.State.QUEUED, Job.State.RUNNING]).exists():
            raise InvalidInput("A probe of this item is on its way. Wait for its answer.")
        ordered = ContractProbe.objects.create(
            item=item,
            url=url,
            sealed=encrypt(json.dumps({"example": example, "headers": dict(headers or {})})),
            via=via,
            asked_by=by,
            asked_at=now,
        )
        enqueue(TASK, key=ordered.job_key, now=now, args={"probe_id": str(ordered.pk)})
        record("item.probe-ordered", item, release, by=by, now=now, via=via, probe=str(ordered.pk), url=url)
        return ordered


def perform(*, probe_id: str, now: datetime) -> None:
    """Runs an ordered probe. An expected failure ends it with its sentence; asking again is another probe."""
    ordered = ContractProbe.objects.select_related("item__release__system", "asked_by").get(pk=probe_id)
    if ordered.outcome != ContractProbe.Outcome.RUNNING:
        return
    try:
        found, content = _sent(ordered, now=now)
        with transaction.atomic():
            evidence = _attach(ordered, found, content, now)
            _close(ordered, now=now, outcome=ContractProbe.Outcome.RECORDED, evidence=evidence)
    except _AlreadyDone:
        return
    except Problem as problem:
        _fail(ordered, problem.detail, now=now)
    report(100, ordered.get_outcome_display())


def _sent(ordered: ContractProbe, *, now: datetime) -> tuple[probe.Probe, bytes]:
    release = ordered.item.release
    asked = json.loads(decrypt(ordered.sealed))
    schema, example, limit = _planned(release, asked["example"])
    report(5, "Sending an input that fits")
    found = probe.run(
        ordered.url,
        schema,
        example=example,
        max_chars=limit,
        headers=asked["headers"],
        report=lambda done, of: report(5 + 90 * done // of, f"{done} of {of} bad inputs answered"),
    )
    pins = {pin.component.kind: pin.version.sha256 for pin in release.pins.select_related("version", "component")}
    body = {
        "type": "contract.probe",
        "release": release.label,
        "url": ordered.url,
        "at": now,
        "input_schema": pins.get(Kind.INPUT_SCHEMA, ""),
        "contract": pins.get(Kind.CONTRACT, ""),
        **found.body(),
    }
    return found, canonical.dumps(body)


def _planned(release: Release, example: Any) -> tuple[dict[str, Any], Any, int | None]:
    """The pinned schema, an input that fits it, and the longest context of the contract."""
    schema, contract = _pinned(release, Kind.INPUT_SCHEMA), _pinned(release, Kind.CONTRACT)
    if schema is None:
        raise InvalidInput("The release pins no input schema, so nothing is known to be bad.")
    example = probe.example_of(schema) if example is None else example
    if example is None or not validator(schema).is_valid(example):
        raise InvalidInput("Send an `example` that fits the pinned input schema: the probe changes it into bad inputs.")
    return schema, example, (contract or {}).get("max_context_chars")


def _pinned(release: Release, kind: str) -> dict[str, Any] | None:
    pin = release.pins.filter(component__kind=kind).select_related("version").order_by("component__name").first()
    if pin is None:
        return None
    value = canonical.loads(content_of(pin.version))
    return value if isinstance(value, dict) else None


def _attach(ordered: ContractProbe, found: probe.Probe, content: bytes, now: datetime) -> Evidence:
    """In the name of who asked: whoever may not attach any more does not, and nobody verifies what they ordered."""
    refused = sum(case.outcome == "refused" for case in found.cases)
    return attach_evidence(
        release_id=ordered.item.release_id,
        key=ordered.item.key,
        kind="record",
        title=f"Contract probe: {refused} of {len(found.cases) + found.unsent} bad inputs refused",
        content=content,
        media_type="application/json",
        url=ordered.url,
        via=ordered.via,
        by=ordered.asked_by,
        now=now,
    )


def give_up(*, probe_id: str, attempts: int, error: str, now: datetime) -> None:
    """Its job ended without an answer (each worker was lost, say): it failed, and what was kept for it is erased."""
    ordered = ContractProbe.objects.select_related("item__release__system").filter(pk=probe_id).first()
    if ordered:
        _fail(ordered, f"Tried {attempts} times without an end, and given up. {error}", now=now)


def _fail(ordered: ContractProbe, error: str, *, now: datetime) -> None:
    with transaction.atomic():
        release = lock(ordered.item.release_id)
        try:
            _close(ordered, now=now, outcome=ContractProbe.Outcome.FAILED, error=error[:2000])
        except _AlreadyDone:
            return
        record(
            "item.probe-failed", ordered.item, release, by=SYSTEM, now=now, probe=str(ordered.pk), error=error[:2000]
        )


def _close(
    ordered: ContractProbe,
    *,
    now: datetime,
    outcome: ContractProbe.Outcome,
    error: str = "",
    evidence: Evidence | None = None,
) -> None:
    """Closes the probe, if it is still open: of two workers one does."""
    still_open = ContractProbe.objects.filter(pk=ordered.pk, outcome=ContractProbe.Outcome.RUNNING)
    if still_open.update(outcome=outcome, error=error, evidence=evidence, sealed="", finished_at=now) != 1:
        raise _AlreadyDone
    ordered.outcome = outcome


class _AlreadyDone(Exception):
    """Rolls back what a second worker was about to attach once more."""
