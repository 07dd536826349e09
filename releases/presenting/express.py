"""The shortest way to go (releases/express.html): what is left, by whom, and what nobody can shorten.

There is no way around the gate. What an emergency needs stands first: it takes nobody's signature.
"""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.urls import reverse

from accounts.queries import living_grants
from releases.decisions import Standing
from releases.facts import live_release
from releases.gate.clearance import SIDES
from releases.models import Release
from releases.people import authors
from releases.presenting.rows import ShownReason, reasons, release_url
from releases.queries import carriable, release_before


def express(release: Release, found: Standing, *, now: datetime) -> dict[str, Any]:
    left = [reason for reason in reasons(found, release) if not reason.code.startswith("sign-off")]
    return {
        "cleared": found.cleared,
        "at_once": _at_once(release),
        "carry": _carry(release, now=now),
        "hands": _hands(left),
        "left": len(left),
        "signers": _signers(release, found, now=now),
        "waiting": _waiting(found),
    }


def _at_once(release: Release) -> list[dict[str, str]]:
    """What stops harm without the gate."""
    slug = release.system.slug
    serving = release if release.state in (*Release.IN_ROLLOUT, Release.State.LIVE) else live_release(release)
    steps = []
    if serving is not None:
        where = f"{serving.get_state_display().lower()} now"
        steps.append({"text": f"Roll back {serving.label}, {where}", "url": release_url(serving)})
    steps.append({"text": "Degrade or fall back", "url": reverse("operations:degradation", kwargs={"slug": slug})})
    steps.append({"text": "See what served well last", "url": reverse("releases:last-good", kwargs={"slug": slug})})
    return steps


def _carry(release: Release, *, now: datetime) -> dict[str, Any] | None:
    """Evidence of the release before that still holds: taken over in one step, looked at again by a second person."""
    before = release_before(release) if release.state in Release.OPEN else None
    offers = [offer for offer in carriable(release, before, now=now) if not offer.reason] if before else []
    if not offers or before is None:
        return None
    return {"count": len(offers), "before": before.label, "url": release_url(release, "carry")}


def _hands(left: list[ShownReason]) -> list[tuple[str, list[ShownReason]]]:
    """By whom, those with most to do first: everybody may begin at once, nobody waits for another group."""
    hands: dict[str, list[ShownReason]] = defaultdict(list)
    for reason in left:
        hands[reason.who].append(reason)
    return sorted(hands.items(), key=lambda hand: -len(hand[1]))


def _signers(release: Release, found: Standing, *, now: datetime) -> list[dict[str, Any]]:
    """Who can sign each side: its holders, without the authors and without who signed the other side."""
    grants = living_grants(now=now).filter(system__in=["", release.system.slug], role__in=SIDES).select_related("user")
    signed = {fact.side: fact.signer for fact in found.signatures if not fact.voided and fact.holds_role}
    wrote = frozenset() if found.bars.author_may_sign_own_side else authors(release)
    sides = []
    for side in SIDES:
        other = {signer for of, signer in signed.items() if of != side}
        names = {
            str(grant.user_id): grant.user.name
            for grant in grants
            if grant.role == side and str(grant.user_id) not in wrote | other
        }
        sides.append({"side": side, "done": side in signed, "names": sorted(names.values())})
    return sides


def _waiting(found: Standing) -> list[str]:
    """Time that no effort shortens."""
    canary, bars = found.facts.canary, found.bars
    if canary is None:
        hours = found.facts.plan.hours if found.facts.plan else bars.canary_hours
        return [f"{hours} hours of canary lie between its start and the promotion."]
    lines = []
    if canary.covered_hours < bars.canary_hours:
        left = (Decimal(bars.canary_hours) - canary.covered_hours).normalize()
        lines.append(f"{left:f} covered hours of the canary are left.")
    if canary.requests < bars.min_requests:
        lines.append(f"{bars.min_requests - canary.requests} more requests are needed before its rates can be judged.")
    return lines
