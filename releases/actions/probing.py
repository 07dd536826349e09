"""The contract probe of a release: run against its pinned schema, and kept as evidence, whatever came of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from accounts.models import User
from audit import canonical
from audit.contract import validator
from metrics import egress, probe
from releases import rules
from releases.actions.checklist import attach_evidence
from releases.actions.items import item_of
from releases.errors import InvalidInput, refuse
from releases.models import Evidence, Release
from releases.people import item_view, person
from systems.kinds import Kind
from systems.registry import content_of


def probe_contract(
    *,
    release_id: UUID,
    key: str,
    url: str,
    by: User,
    now: datetime,
    example: Any = None,
    headers: Mapping[str, str] | None = None,
    via: str = "",
) -> tuple[Evidence, probe.Probe]:
    """Sends first, outside of any transaction; attaching asks the rules again. Headers (a login) are not recorded."""
    release = Release.objects.select_related("system").get(pk=release_id)
    item, definition = item_of(release, key, None)
    # Asked before anything leaves the house: who may not attach may not make us send either.
    refuse(rules.attach_refusals(person(by, release, now=now), item_view(item, definition, release)))
    schema, contract = _pinned(release, Kind.INPUT_SCHEMA), _pinned(release, Kind.CONTRACT)
    if schema is None:
        raise InvalidInput("The release pins no input schema, so nothing is known to be bad.")
    example = probe.example_of(schema) if example is None else example
    if example is None or not validator(schema).is_valid(example):
        raise InvalidInput("Send an `example` that fits the pinned input schema: the probe changes it into bad inputs.")
    limit = (contract or {}).get("max_context_chars")
    try:
        found = probe.run(url, schema, example=example, max_chars=limit, headers=headers or {})
    except egress.EgressRefused as error:
        raise InvalidInput(str(error)) from error
    refused = sum(case.outcome == "refused" for case in found.cases)
    pins = {pin.component.kind: pin.version.sha256 for pin in release.pins.select_related("version", "component")}
    record = {
        "type": "contract.probe",
        "release": release.label,
        "url": url,
        "at": now,
        "input_schema": pins.get(Kind.INPUT_SCHEMA, ""),
        "contract": pins.get(Kind.CONTRACT, ""),
        **found.body(),
    }
    evidence = attach_evidence(
        release_id=release_id,
        key=key,
        kind="record",
        title=f"Contract probe: {refused} of {len(found.cases) + found.unsent} bad inputs refused",
        content=canonical.dumps(record),
        media_type="application/json",
        url=url,
        via=via,
        by=by,
        now=now,
    )
    return evidence, found


def _pinned(release: Release, kind: str) -> dict[str, Any] | None:
    pin = release.pins.filter(component__kind=kind).select_related("version").order_by("component__name").first()
    if pin is None:
        return None
    value = canonical.loads(content_of(pin.version))
    return value if isinstance(value, dict) else None
