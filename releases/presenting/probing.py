"""The contract probes of an item: the form that orders one, and what each of them heard."""

import json
from typing import Any
from uuid import UUID

from audit import vault
from jobs.models import Job
from releases.actions.probing import ACCEPTED_AS
from releases.forms import ProbeForm
from releases.models import ContractProbe, Item, Release
from releases.presenting.rows import release_url
from web.problems import NotFound

SHOWN = 5


def probing(
    release: Release, item: Item, accepts: tuple[str, ...], *, reason: tuple[str, ...], posted: Any
) -> dict[str, Any] | None:
    """None where the standard takes no probe for this item."""
    if ACCEPTED_AS not in accepts:
        return None
    return {
        "reason": " ".join(reason[:1]),
        "form": None if reason else ProbeForm(posted, auto_id="id_probe_%s"),
        "url": release_url(release, "item-act", key=item.key, act="probe"),
        "page_url": release_url(release, "item", key=item.key),
        "probes": [shown(release, one) for one in item.probes.select_related("evidence", "asked_by")[:SHOWN]],
    }


def find_probe(release: Release, key: str, probe: UUID) -> ContractProbe:
    found = ContractProbe.objects.select_related("evidence", "asked_by", "item")
    one = found.filter(pk=probe, item__release=release, item__key=key).first()
    if one is None:
        raise NotFound("There is no such probe of this item.")
    return one


def shown(release: Release, one: ContractProbe) -> dict[str, Any]:
    """One probe: how far its job is, or what came back. It asks for itself again while it can still change."""
    job = Job.objects.filter(key=one.job_key).first()
    running = one.outcome == ContractProbe.Outcome.RUNNING
    key = one.item.key
    return {
        "probe": one,
        "job": job,
        "running": running and job is not None and job.state in (Job.State.QUEUED, Job.State.RUNNING),
        "error": one.error or (job.error if job and running else ""),
        "url": release_url(release, "probe", key=key, probe=one.pk),
        "evidence_url": one.evidence and release_url(release, "evidence-page", key=key, evidence=one.evidence.pk),
        "heard": heard(one),
    }


def heard(one: ContractProbe) -> dict[str, Any] | None:
    """What came back, from the evidence itself: the row keeps no second copy."""
    return json.loads(vault.get(one.evidence.digest)) if one.evidence else None
