"""Opening a release, choosing what it is made of, and planning how it meets its users."""

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

from django.db import transaction

from accounts.models import User
from accounts.queries import holders, roles_of
from audit import ledger
from jobs.outbox import emit
from metrics.models import Source
from metrics.targets import end_targets
from releases import rules
from releases.errors import InvalidInput, refuse
from releases.locking import changing
from releases.models import Item, Pin, Release, Rollout
from releases.people import person
from releases.standard.published import definition_of, standard_for
from systems.models import ReleasePolicy, System, Version

LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


def open_release(
    *, system: System, label: str, by: User, now: datetime, summary: str = "", ticket_url: str = "", standard: str = ""
) -> Release:
    """A draft, with the checklist of the current standard, and owners from the system's ownership map."""
    refuse(
        rules.edit_refusals(rules.Person(str(by.pk), roles_of(by, system=system.slug, now=now)), release_state="draft")
    )
    if not LABEL.fullmatch(label):
        raise InvalidInput("A label has letters, digits, dots, dashes and underscores, 60 at most, such as 2026.11.2.")
    policy = ReleasePolicy.objects.filter(system=system, state=ReleasePolicy.State.APPROVED).first()
    if policy is None:
        raise InvalidInput("The system has no approved release policy. Approve one first.")
    with transaction.atomic():
        if Release.objects.filter(system=system, label=label).exists():
            raise InvalidInput(f"{system.name} has a release {label} already.")
        release = Release.objects.create(
            system=system,
            label=label,
            summary=summary.strip(),
            ticket_url=ticket_url,
            policy=policy,
            standard=standard_for(system, number=standard),
            opened_by=by,
            opened_at=now,
        )
        with changing(release.pk, by=by, now=now, why="The release was opened.") as release:
            release.authors.add(by)
            _make_checklist(release, now=now)
        ledger.append(
            kind="release.opened",
            by=by,
            subject=release.subject,
            system=system.slug,
            now=now,
            payload={
                "label": label,
                "summary": release.summary,
                "standard": release.standard.number,
                "standard_sha256": release.standard.sha256,
                "policy": policy.number,
                "policy_sha256": policy.sha256,
            },
        )
        emit("releases.opened", subject=release.subject, payload=label_of(release), now=now)
    return release


def move_to_policy(*, release_id: UUID, number: str, by: User, now: datetime) -> Release:
    """Judges an open release by the release policy in force: from the next question on. Signatures so far are void."""
    with changing(release_id, by=by, now=now, why="The release moved to the release policy in force.") as release:
        refuse(rules.edit_refusals(person(by, release, now=now), release_state=release.state))
        wanted = ReleasePolicy.objects.filter(system=release.system, state=ReleasePolicy.State.APPROVED).get()
        if str(wanted.number) != number:
            raise InvalidInput(
                f"Version {wanted.number} of the release policy is in force; only that one judges from now."
            )
        if wanted.pk == release.policy_id:
            return release
        before, release.policy = release.policy, wanted
        release.save(update_fields=["policy"])
        ledger.append(
            kind="release.policy-changed",
            by=by,
            subject=release.subject,
            system=release.system.slug,
            now=now,
            payload={"before": before.number, "after": wanted.number, "sha256": wanted.sha256},
        )
        emit("releases.policy-changed", subject=release.subject, payload=label_of(release), now=now)
        return release


def _make_checklist(release: Release, *, now: datetime) -> None:
    owned = dict(release.system.ownerships.values_list("area", "user_id"))
    items = []
    for position, item in enumerate(definition_of(release.standard).items):
        owner_id = owned.get(item.owner_role)
        if owner_id is None:
            owner_id = (
                holders(item.owner_role, system=release.system.slug, now=now).values_list("pk", flat=True).first()
            )
        items.append(Item(release=release, key=item.key, position=position, owner_id=owner_id))
    Item.objects.bulk_create(items)


def pin(*, release_id: UUID, version: Version, by: User, now: datetime) -> Pin:
    """Chooses the version of one component. Items that depend on its kind become stale, and signatures void."""
    component = version.component
    with changing(
        release_id, by=by, now=now, why=f"The pin of {component} changed to version {version.number}."
    ) as release:
        refuse(rules.edit_refusals(person(by, release, now=now), release_state=release.state))
        if component.system_id != release.system_id:
            raise InvalidInput("This version belongs to another system.")
        if version.state not in (Version.State.APPROVED, Version.State.DEPRECATED):
            raise InvalidInput(
                f"Version {version.number} of {component} is not approved. A release pins reviewed versions."
            )
        before = release.pins.select_related("version").filter(component=component).first()
        if before is not None and before.version_id == version.pk:
            return before
        chosen, _ = Pin.objects.update_or_create(
            release=release, component=component, defaults={"version": version, "set_by": by, "set_at": now}
        )
        release.authors.add(by)
        stale = (
            _make_stale(release, component.kind, f"{component} changed to version {version.number}") if before else []
        )
        ledger.append(
            kind="release.pinned",
            by=by,
            subject=release.subject,
            system=release.system.slug,
            now=now,
            payload={
                "component": component.name,
                "kind": component.kind,
                "version": version.number,
                "sha256": version.sha256,
                "before": before.version.sha256 if before else None,
                "stale": stale,
            },
        )
        emit("releases.pinned", subject=release.subject, payload=label_of(release), now=now)
        return chosen


def pin_newest(*, release_id: UUID, by: User, now: datetime) -> list[Pin]:
    """Pins the newest approved version of every component that has none yet."""
    release = Release.objects.select_related("system").get(pk=release_id)
    pinned = set(release.pins.values_list("component", flat=True))
    chosen = []
    for component in release.system.components.filter(retired_at=None).exclude(pk__in=pinned):
        version = component.versions.filter(state=Version.State.APPROVED).order_by("-number").first()
        if version is not None:
            chosen.append(pin(release_id=release_id, version=version, by=by, now=now))
    return chosen


def _make_stale(release: Release, kind: str, what: str) -> list[str]:
    """Items that depend on this kind of component and had got anywhere. Their evidence stays, to be looked at again."""
    dependent = [item.key for item in definition_of(release.standard).items if kind in item.depends_on]
    touched = release.items.filter(key__in=dependent).exclude(verified_by=None, evidence=None).distinct()
    keys = sorted(touched.values_list("key", flat=True))
    release.items.filter(key__in=keys).update(
        stale_reason=f"{what} after it was done. Attach new evidence, or verify again.",
        verified_by=None,
        verified_at=None,
        verified_digests=[],
    )
    return keys


def plan_rollout(
    *,
    release_id: UUID,
    strategy: str,
    share: Decimal,
    hours: int,
    error_rate_max: Decimal,
    p95_ms_max: int,
    source: Source,
    by: User,
    now: datetime,
    steps: Sequence[tuple[Decimal, int]] = (),
    shadow_source: Source | None = None,
    shadow_hours: int | None = None,
) -> Rollout:
    """How the release meets its users, and what sends it back. The gate refuses a plan looser than the policy.

    `steps`: smaller shares that come first, each with the covered hours that it is held. They are part of `hours`.
    """
    with changing(release_id, by=by, now=now, why="The rollout plan changed.") as release:
        refuse(rules.edit_refusals(person(by, release, now=now), release_state=release.state))
        _check_plan(strategy, share, hours, error_rate_max, p95_ms_max)
        _check_steps(steps, share, hours)
        _check_shadow(strategy, source, shadow_source, shadow_hours)
        if any(one.system_id != release.system_id for one in (source, shadow_source) if one):
            raise InvalidInput("This source belongs to another system.")
        more = {"steps": [[f"{part.normalize():f}", held] for part, held in steps], "shadow_hours": shadow_hours}
        plan, _ = Rollout.objects.update_or_create(
            release=release,
            defaults={
                "strategy": strategy,
                "share": share,
                "hours": hours,
                "error_rate_max": error_rate_max,
                "p95_ms_max": p95_ms_max,
                "source": source,
                "shadow_source": shadow_source,
                "planned_by": by,
                "planned_at": now,
                **more,
            },
        )
        ledger.append(
            kind="release.rollout-planned",
            by=by,
            subject=release.subject,
            system=release.system.slug,
            now=now,
            payload={
                "strategy": strategy,
                "share": share,
                "hours": hours,
                "error_rate_max": error_rate_max,
                "p95_ms_max": p95_ms_max,
                "source": str(source.pk),
                "shadow_source": str(shadow_source.pk) if shadow_source else None,
                **more,
            },
        )
        return plan


def _check_plan(strategy: str, share: Decimal, hours: int, error_rate_max: Decimal, p95_ms_max: int) -> None:
    reasons = []
    if strategy not in Rollout.Strategy.values:
        reasons.append("The strategy is canary or shadow.")
    if not (share.is_finite() and 0 < share <= 1):
        reasons.append("The share of traffic is above 0 and at most 100 %.")
    if not 1 <= hours <= 720:
        reasons.append("The rollout is watched for 1 to 720 hours.")
    if not (error_rate_max.is_finite() and 0 <= error_rate_max <= 1):
        reasons.append("The error rate that rolls back lies between 0 and 100 %.")
    if p95_ms_max < 1:
        reasons.append("The latency that rolls back is at least 1 ms.")
    if reasons:
        raise InvalidInput(reasons[0], reasons=reasons)


def _check_steps(steps: Sequence[tuple[Decimal, int]], share: Decimal, hours: int) -> None:
    shares = [*(part for part, _ in steps), share]
    if any(not part.is_finite() or part <= 0 or part.as_tuple().exponent < -4 for part in shares):  # type: ignore[operator]
        raise InvalidInput("A step's share is above 0, in hundredths of a percent.")
    if any(later <= earlier for earlier, later in pairwise(shares)):
        raise InvalidInput("Each step gives more traffic than the one before, and the planned share most.")
    if any(held < 1 for _, held in steps) or sum(held for _, held in steps) >= hours:
        raise InvalidInput("Each step is held for an hour at least, and together for less than the whole rollout.")


def _check_shadow(strategy: str, source: Source, shadow_source: Source | None, shadow_hours: int | None) -> None:
    if strategy != Rollout.Strategy.SHADOW:
        if shadow_source or shadow_hours:
            raise InvalidInput("Only the strategy shadow has a shadow run.")
        return
    if shadow_source is None or shadow_hours is None or not 1 <= shadow_hours <= 720:
        raise InvalidInput("A shadow run needs the source that sees its requests, and 1 to 720 hours.")
    if shadow_source.pk == source.pk:
        raise InvalidInput("A shadow run has an environment of its own, so another source than the canary's sees it.")


def begin_review(*, release_id: UUID, by: User, now: datetime) -> Release:
    """From draft to pre-production: everything is chosen, so both sides can sign what it is made of."""
    with changing(release_id, by=by, now=now, why="The review began.") as release:
        refuse(rules.edit_refusals(person(by, release, now=now), release_state=release.state))
        if release.state != Release.State.DRAFT:
            return release
        unpinned = missing_pins(release)
        if unpinned:
            raise InvalidInput(f"These have no pinned version yet: {', '.join(unpinned)}.", reasons=unpinned)
        release.state = Release.State.PRE_PRODUCTION
        release.save(update_fields=["state"])
        ledger.append(
            kind="release.review-began",
            by=by,
            subject=release.subject,
            system=release.system.slug,
            now=now,
            payload={"label": release.label},
        )
        emit("releases.review-began", subject=release.subject, payload=label_of(release), now=now)
        return release


def missing_pins(release: Release) -> list[str]:
    pinned = release.pins.values_list("component", flat=True)
    return [str(component) for component in release.system.components.filter(retired_at=None).exclude(pk__in=pinned)]


def abandon(*, release_id: UUID, reason: str, by: User, now: datetime) -> Release:
    with changing(release_id, by=by, now=now, why="The release was abandoned.") as release:
        refuse(rules.abandon_refusals(person(by, release, now=now), release_state=release.state))
        if not reason.strip():
            raise InvalidInput("Say why it is abandoned.")
        release.state, release.ended_at, release.end_reason = Release.State.ABANDONED, now, reason.strip()
        release.save(update_fields=["state", "ended_at", "end_reason"])
        end_targets(system=release.system, release_label=release.label, now=now)
        ledger.append(
            kind="release.abandoned",
            by=by,
            subject=release.subject,
            system=release.system.slug,
            now=now,
            payload={"label": release.label, "reason": reason.strip()},
        )
        return release


def label_of(release: Release) -> dict[str, str]:
    """What every event of this package carries."""
    return {"release": str(release.pk), "system": release.system.slug, "label": release.label}
