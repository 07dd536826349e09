"""Who has signed, who is missing, and what is signed (releases/parts/signoffs.html, releases/sign.html)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import User
from audit import canonical, ledger
from releases import rules
from releases.actions.signing import Signed, signing_view
from releases.decisions import Standing
from releases.gate.clearance import SIDES
from releases.models import Pin, Rejection, Release, SignOff
from releases.presenting.history import events
from releases.presenting.rows import release_url
from releases.review import SECTIONS
from releases.statement import MEANING, check_assertion

METHODS = {"passkey": "passkey", "two-factor": "password and code, not key-bound"}


@dataclass(frozen=True)
class _Asking:
    """Whoever looks, and what has been said of the release so far: read once for all of its sides."""

    user: User
    who: rules.Person
    signed: Signed
    rejections: dict[str, Rejection]


def signoffs(release: Release, found: Standing, *, user: User, who: rules.Person) -> dict[str, Any]:
    rejections = release.rejections.filter(lifted_at=None).select_related("by").order_by("-rejected_at")
    asking = _Asking(user, who, Signed.of(release), {one.side: one for one in rejections})
    sides = [_side(release, found, side, asking) for side in SIDES]
    return {
        "question": f"for the {'canary' if found.question == 'canary' else 'full release'}",
        "done": sum(side["status"] == "signed" for side in sides),
        "needed": 2,
        "sides": sides,
        "sections": _sections(release, found, asking),
        "state_digest": found.closed_by.state_digest if found.closed_by else found.state_digest,
        "closed": found.closed_by is not None,
        "review_url": release_url(release, "review"),
        "express_url": release_url(release, "express") if found.open else "",
    }


def _sections(release: Release, found: Standing, asking: _Asking) -> list[dict[str, Any]]:
    """The sections that the standard asks something for, or that were signed: beside the two sides, never counted."""
    asked = {item.owner_role for item in found.facts.items} & rules.SECTIONS
    asked |= {fact.side for fact in found.signatures} & rules.SECTIONS
    return [_side(release, found, side, asking) | {"name": SECTIONS[side]} for side in SECTIONS if side in asked]


def _newest(given: Sequence[SignOff]) -> SignOff | None:
    """The latest that lives or, where none does, the one that was voided last. They come oldest first."""
    living = [one for one in given if one.voided_at is None]
    return living[-1] if living else max(given, key=lambda one: one.voided_at or one.signed_at, default=None)


def _side(release: Release, found: Standing, side: str, asking: _Asking) -> dict[str, Any]:
    rejection = asking.rejections.get(side)
    signed = _newest([one for one in asking.signed.sign_offs if (one.question, one.side) == (found.question, side)])
    shown: dict[str, Any] = {
        "name": side.capitalize(),
        "meaning": MEANING[found.question.value, side],
        "status": "waiting",
    }
    if rejection is not None:
        shown |= {"status": "rejected", "who": rejection.by, "at": rejection.rejected_at, "note": rejection.reason}
    elif signed is not None:
        shown |= {
            "status": "void" if signed.voided_at else "signed",
            "who": signed.signer,
            "at": signed.signed_at,
            "method": METHODS[signed.method],
            "note": signed.void_reason or why_not_counted(found, signed),
            "url": release_url(release, "certificate", sign_off=signed.pk),
        }
        if shown["note"] and not signed.voided_at:
            shown["status"] = "void"
        if found.open and not signed.voided_at and signed.signer_id == asking.user.pk:
            shown["withdraw"] = {"id": signed.pk, "url": release_url(release, "say", act="withdraw")}
    if found.open and shown["status"] != "signed":
        shown["action"] = _sign_action(release, found, side, asking)
        if side not in SIDES and shown["action"]["reason"]:
            del shown["action"]  # a section is its owner's: to everybody else it only says whether it is signed
    return shown


def why_not_counted(found: Standing, signed: SignOff) -> str:
    """A living signature that does not count all the same: the role ended, or the state moved."""
    if found.closed_by is not None:
        return ""
    for fact in found.signatures:
        if fact.signed_at == signed.signed_at and fact.side == signed.side:
            if not fact.holds_role:
                return "The signer no longer holds the role, so it does not count."
            if fact.state_digest != found.state_digest:
                return "It covers an earlier state, so it does not count."
    return ""


def _sign_action(release: Release, found: Standing, side: str, asking: _Asking) -> dict[str, Any]:
    view = signing_view(release, found, asking.signed, signer=asking.user, side=side)
    reasons = rules.sign_refusals(asking.who, side, view)
    return {
        "label": f"Sign for {side}",
        "url": release_url(release, "sign", side=side),
        "kind": "primary",
        "reason": " ".join(reasons[:2]),
        "key": "" if reasons else "s",
    }


def statement(shown: dict[str, Any], release: Release, found: Standing) -> dict[str, Any]:
    """The statement in words and as it is signed."""
    return {
        "question": shown["question"],
        "side": shown["side"].capitalize(),
        "meaning": shown["meaning"],
        "verdict": shown["verdict"]["outcome"],
        "state_digest": shown["state_digest"],
        "facts": list(_live(found)),
        "covers": _covers(release),
        "json": json.dumps(shown, indent=2, ensure_ascii=False, sort_keys=True),
    }


def _live(found: Standing) -> Iterator[dict[str, Any]]:
    facts, bars = found.facts, found.bars
    if run := facts.evaluation:
        limit = (
            f"baseline {run.baseline_score} + {bars.eval_min_delta}"
            if run.baseline_score is not None
            else f"at least {bars.eval_min_score}"
        )
        yield {"name": "Evaluation score", "value": run.score, "limit": limit, "status": run.outcome}
    if budget := facts.budget:
        spent, cap = f"{budget.spent_usd:.2f} USD", f"{budget.cap_usd:.2f} USD"
        yield {"name": "Spend today", "value": spent, "limit": cap, "status": budget.state}
    freezes = len(facts.freezes)
    yield {"name": "Freezes", "value": str(freezes), "limit": "0", "status": "frozen" if freezes else "ok"}
    if canary := facts.canary:
        hours = f"{canary.covered_hours} covered hours"
        yield {"name": "Canary", "value": hours, "limit": f"{bars.canary_hours} hours", "status": canary.outcome}
    done = sum(item.state.done for item in found.verdict.items)
    yield {
        "name": "Checklist",
        "value": f"{done} of {len(found.verdict.items)} done",
        "limit": "",
        "status": found.verdict.outcome,
    }


def _covers(release: Release) -> list[dict[str, str]]:
    pins = release.pins.select_related("component", "version").order_by("component__kind", "component__name")
    verified = release.items.exclude(verified_by=None).count()
    return [
        {"name": "Pins", "value": ", ".join(map(_pin, pins))},
        {"name": "Verified by people", "value": f"{verified} items, with the digest of each piece of evidence"},
        {"name": "Answers", "value": f"{release.answers.count()} operational questions"},
        {"name": "Standard, policy", "value": f"{release.standard.number}, release policy {release.policy.number}"},
    ]


def _pin(pin: Pin) -> str:
    """With its kind: a prompt and the schema of its output may bear the same name."""
    return f"{pin.component.get_kind_display().lower()} {pin.component.name} v{pin.version.number}"


def changes(release: Release, found: Standing) -> list[dict[str, str]]:
    """What was done since both sides signed for the canary, in the words of the record."""
    started = release.decisions.filter(occasion="started").first()
    if started is None or found.closed_by is not None:
        return []
    return _since(release, started.decided_at, [])


def moved(release: Release, statement: Mapping[str, Any]) -> list[dict[str, str]]:
    """What was done to the release after its state was shown to somebody who then signed what no longer stands."""
    return _since(release, datetime.fromisoformat(statement["shown_at"]), [release.subject])


def _since(release: Release, at: datetime, subjects: list[str]) -> list[dict[str, str]]:
    subjects += [f"item:{pk}" for pk in release.items.values_list("pk", flat=True)]
    entries = ledger.entries(system=release.system.slug).filter(subject__in=subjects, at__gt=at)
    return [
        {"sentence": f"{event['who']} {event['sentence']}: {event['detail']}", "url": event["url"]}
        for event in events(entries.order_by("index")[:20])
    ]


def proven(signed: SignOff) -> tuple[str, str]:
    """What can be checked of a signature, and why it does not verify (empty where it does)."""
    if canonical.digest(signed.statement) != signed.statement_digest:
        return "", "The statement is not the one that its digest was taken of."
    if signed.assertion:
        problem = check_assertion(signed.statement, signed.assertion)
        return "The statement, its digest and the passkey's signature agree.", problem
    said = "The statement and its digest agree. Password and code were checked when it was signed; neither is kept."
    return said, ""
