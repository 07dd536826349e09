"""The recorded state of a release: what a signature covers. Recorded acts only, no status that a clock could change.

Live facts (rates, spend, freezes, lapse of evidence, memberships) are not in it: they are read afresh at each verdict.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from audit import canonical
from releases.gate.types import EvidenceFact
from releases.models import Answer, Evidence, Pin, Release, Rollout
from web.prepared import Prepared, fetched


class ItemRow(NamedTuple):
    """What state and gate ask of an item. A release has two hundred, with a thousand pieces of evidence: as tuples they
    are read in a third of the time that model instances take."""

    pk: UUID
    key: str
    owner_id: UUID | None
    verified_by_id: UUID | None
    verified_at: datetime | None
    verified_digests: list[str]
    sent_back_reason: str
    stale_reason: str
    not_applicable_reason: str
    not_applicable_by_id: UUID | None
    not_applicable_confirmed_by_id: UUID | None
    evidence: tuple[EvidenceFact, ...]  # what is not superseded, oldest first

    @property
    def subject(self) -> str:
        return f"item:{self.pk}"


@dataclass(frozen=True)
class Checklist:
    """The items as they were read, and what was made of these rows and nothing else, by whoever made it."""

    items: tuple[ItemRow, ...]
    made: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rows:
    """The rows that the state is made of, read once: verdict and digest speak of the same ones."""

    checklist: Checklist
    pins: tuple[Pin, ...]  # with component and version, by kind and name
    answers: tuple[Answer, ...]
    plan: Rollout | None

    @property
    def items(self) -> tuple[ItemRow, ...]:
        return self.checklist.items


# Of the pinned versions their content is long, and nothing else of them is asked for.
_PINNED = (
    *("component__kind", "component__name", "version__number", "version__sha256", "version__meta", "version__state"),
    *("version__author", "version__reviewer"),
)
_pinned = Prepared(
    lambda release: (
        Pin.objects.filter(release=release)
        .select_related("component", "version")
        .only(*_PINNED)
        .order_by("component__kind", "component__name")
    )
)
_answered = Prepared(
    lambda release: (
        Answer.objects.filter(release=release)
        .select_related("evidence")
        .order_by("key")
        .only("key", "value", "text", "answered_by", "evidence__digest")
    )
)
_planned = Prepared(lambda release: Rollout.objects.filter(release=release).select_related("source"))


def read(release: Release) -> Rows:
    planned = _planned(release=release.pk)
    return Rows(
        checklist=_checklist(release),
        pins=tuple(_pinned(release=release.pk)),
        answers=tuple(_answered(release=release.pk)),
        plan=planned[0] if planned else None,
    )


# What the database calls each version of a row: whoever writes a row, by whatever way, makes another one.
_VERSIONS = """
    WITH item AS MATERIALIZED (SELECT id, xmin, ctid FROM releases_item WHERE release_id = %s)
    SELECT md5(string_agg(version, ' ')) FROM (
        SELECT id::text || xmin || ctid AS version FROM item
        UNION ALL
        SELECT id::text || xmin || ctid FROM releases_evidence
        WHERE item_id = ANY (ARRAY(SELECT id FROM item)) AND superseded_at IS NULL
    ) AS rows
"""
_KEPT_RELEASES = 32
_kept: dict[str, Checklist] = {}


def _checklist(release: Release) -> Checklist:
    """The largest part of the state, and from one question to the next nearly always the same: read again only where
    one of its rows was written since (decision 12)."""
    versions = _versions(release)
    if (kept := _kept.get(versions)) is not None:
        return kept
    rows = Checklist(_read_checklist(release))
    if _versions(release) == versions:
        while len(_kept) >= _KEPT_RELEASES:
            _kept.pop(next(iter(_kept)), None)
        _kept[versions] = rows
    return rows


def _versions(release: Release) -> str:
    ((versions,),) = fetched(connection, _VERSIONS, [release.pk])
    return f"{release.pk} {versions}"


def _read_checklist(release: Release) -> tuple[ItemRow, ...]:
    """Evidence is asked for by the items' ids: joined with the items, a database that never counted its rows compares
    each piece with every item."""
    items = list(release.items.values_list(*ItemRow._fields[:-1]))
    living = Evidence.objects.filter(item__in=[pk for pk, *_ in items], superseded_at=None).order_by("attached_at")
    found: defaultdict[UUID, list[EvidenceFact]] = defaultdict(list)
    for item, digest, kind, by, at, until in living.values_list(
        "item_id", "digest", "kind", "attached_by_id", "attached_at", "valid_until"
    ):
        found[item].append(EvidenceFact(digest, kind, str(by) if by else None, at, until))
    return tuple(ItemRow._make((*row, tuple(found.get(row[0], ())))) for row in items)


def recorded_state(release: Release, rows: Rows | None = None) -> dict[str, Any]:
    """Ready for canonical JSON. Every list is sorted by a key of its own, so equal states have equal bytes.

    `rows`: where they were just read; else they are read here."""
    rows = rows or read(release)
    return {
        "type": "readiness/state/v1",
        "release": str(release.pk),
        "system": release.system.slug,
        "label": release.label,
        "standard": {"number": release.standard.number, "sha256": release.standard.sha256},
        "policy": {"number": release.policy.number, "sha256": release.policy.sha256},
        "pins": _pins(rows.pins),
        "items": _items(rows.checklist),
        "answers": _answers(rows.answers),
        "plan": _plan(rows.plan),
    }


def state_digest(release: Release, rows: Rows | None = None) -> str:
    """Of its canonical bytes. All of it is text and small numbers, so the fast writer may be used."""
    return canonical.digest_bytes(canonical.dumps_tidy(recorded_state(release, rows)))


def _pins(pins: Iterable[Pin]) -> list[dict[str, Any]]:
    return [
        {
            "kind": pin.component.kind,
            "component": pin.component.name,
            "version": pin.version.number,
            "sha256": pin.version.sha256,
        }
        for pin in pins
    ]


def _items(checklist: Checklist) -> list[dict[str, Any]]:
    """Who verified which digests, and what was agreed not to apply. An untouched item is only named."""
    if (made := checklist.made.get("state")) is not None:
        return made
    made = checklist.made["state"] = [
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
        for item in sorted(checklist.items, key=attrgetter("key"))
    ]
    return made


def _answers(answers: Iterable[Answer]) -> list[dict[str, Any]]:
    return [
        {
            "key": answer.key,
            "value": answer.value,
            "text": answer.text,
            "evidence": answer.evidence.digest if answer.evidence else None,
            "by": str(answer.answered_by_id),
        }
        for answer in answers
    ]


def _plan(plan: Rollout | None) -> Any:
    """The plan as chosen; how its run goes is a live fact."""
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
    return canonical.plain(chosen)
