"""The recorded state of a release: what a signature covers. Recorded acts only, no status that a clock could change.

Live facts (rates, spend, freezes, lapse of evidence, memberships) are not in it: they are read afresh at each verdict.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from audit import canonical
from releases.models import Item, Release


def recorded_state(release: Release, items: Sequence[Item] | None = None) -> dict[str, Any]:
    """Ready for canonical JSON. Every list is sorted by a key of its own, so equal states have equal bytes.

    `items`: the rows of the checklist, where they were just read; else they are read here."""
    return {
        "type": "readiness/state/v1",
        "release": str(release.pk),
        "system": release.system.slug,
        "label": release.label,
        "standard": {"number": release.standard.number, "sha256": release.standard.sha256},
        "policy": {"number": release.policy.number, "sha256": release.policy.sha256},
        "pins": _pins(release),
        "items": _items(release.items.all() if items is None else items),
        "answers": _answers(release),
        "plan": _plan(release),
    }


def state_digest(release: Release, items: Sequence[Item] | None = None) -> str:
    return canonical.digest(recorded_state(release, items))


def _pins(release: Release) -> list[dict[str, Any]]:
    pins = release.pins.order_by("component__kind", "component__name").values_list(
        "component__kind", "component__name", "version__number", "version__sha256"
    )
    return [{"kind": kind, "component": name, "version": number, "sha256": sha} for kind, name, number, sha in pins]


def _items(items: Iterable[Item]) -> list[dict[str, Any]]:
    """Who verified which digests, and what was agreed not to apply. An untouched item is only named."""
    return [
        {
            "key": item.key,
            "verified_by": str(item.verified_by_id) if item.verified_by_id else None,
            "verified_digests": sorted(item.verified_digests),
            "not_applicable": {
                "reason": item.not_applicable_reason,
                "by": str(item.not_applicable_by_id),
                "confirmed_by": str(item.not_applicable_confirmed_by_id)
                if item.not_applicable_confirmed_by_id
                else None,
            }
            if item.not_applicable_by_id
            else None,
        }
        for item in sorted(items, key=attrgetter("key"))
    ]


def _answers(release: Release) -> list[dict[str, Any]]:
    return [
        {
            "key": answer.key,
            "value": answer.value,
            "text": answer.text,
            "evidence": answer.evidence.digest if answer.evidence else None,
            "by": str(answer.answered_by_id),
        }
        for answer in release.answers.select_related("evidence").order_by("key")
    ]


def _plan(release: Release) -> dict[str, Any] | None:
    """The plan as chosen; how its run goes is a live fact."""
    plan = getattr(release, "rollout", None)
    if plan is None:
        return None
    chosen = {
        "strategy": plan.strategy,
        "share": plan.share,
        "hours": plan.hours,
        "error_rate_max": plan.error_rate_max,
        "p95_ms_max": plan.p95_ms_max,
        "source": str(plan.source_id),
    }
    # Named where they are planned only, so that plans without them keep the digest that was signed.
    if plan.steps:
        chosen["steps"] = plan.steps
    if plan.shadow_source_id:
        chosen["shadow"] = {"source": str(plan.shadow_source_id), "hours": plan.shadow_hours}
    return chosen
