"""Entries of the ledger as lines of a timeline: the one table of words for what people and product did."""

from collections.abc import Iterable
from typing import Any

from django.urls import reverse

from audit.actors import names
from audit.models import Entry, Payload

# kind -> (status whose icon is drawn, sentence)
WORDS = {
    "release.opened": ("draft", "opened the release"),
    "release.pinned": ("ok", "pinned a version"),
    "release.rollout-planned": ("ok", "planned the rollout"),
    "release.review-began": ("pre-production", "began the review"),
    "release.question-answered": ("ok", "answered a question"),
    "release.evaluation-judged": ("passed", "judged an evaluation"),
    "release.signed": ("signed", "signed"),
    "release.sign-off-voided": ("void", "a signature became void"),
    "release.sign-off-withdrawn": ("void", "withdrew a signature"),
    "release.rejected": ("rejected", "rejected the release"),
    "release.rejection-lifted": ("ok", "lifted a rejection"),
    "release.rollout-started": ("canary", "started the canary"),
    "release.rollout-stepped": ("canary", "gave it the next share of traffic"),
    "release.instruction-answered": ("passed", "heard from the deploy system"),
    "release.shadow-started": ("shadow", "started the shadow run"),
    "release.shadow-ended": ("ended", "the shadow run ended"),
    "release.canary-clean": ("passed", "the canary's hours are full"),
    "release.promoted": ("live", "promoted the release"),
    "release.rolled-back": ("rolled-back", "rolled the release back"),
    "release.abandoned": ("abandoned", "abandoned the release"),
    "release.gate-answered": ("ok", "asked the gate"),
    "item.assigned": ("ok", "assigned an owner"),
    "item.evidence-attached": ("submitted", "attached evidence"),
    "item.evidence-carried": ("submitted", "carried evidence forward"),
    "item.commented": ("noted", "commented"),
    "item.probe-ordered": ("noted", "ordered a contract probe"),
    "item.probe-failed": ("failed", "could not finish the contract probe"),
    "release.standard-changed": ("ok", "moved it to another version of the standard"),
    "release.policy-changed": ("ok", "moved it to another version of the release policy"),
    "release.phase-frozen": ("closed", "froze the report of a phase"),
    "item.verified": ("verified", "verified"),
    "item.sent-back": ("sent-back", "sent back"),
    "item.measured": ("ok", "measured"),
    "item.not-applicable-proposed": ("proposed", "proposed as not applicable"),
    "item.not-applicable": ("not-applicable", "confirmed as not applicable"),
    "item.applicable": ("ok", "made applicable again"),
}


def events(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Names and payloads are fetched once for all entries: the record's leaves hold ids only."""
    rows = list(entries)
    who = names({row.actor_id for row in rows})
    payloads = Payload.objects.in_bulk([row.index for row in rows])
    return [_event(row, payloads.get(row.index), who) for row in rows]


def _event(row: Entry, payload: Payload | None, who: dict[str, str]) -> dict[str, Any]:
    status, sentence = WORDS.get(row.kind, ("ok", row.kind.replace(".", " ").replace("-", " ")))
    return {
        "status": status,
        "sentence": sentence,
        "who": who.get(row.actor_id, row.actor_id),
        "at": row.at,
        "detail": _detail(payload.read()) if payload else "erased",
        "url": reverse("audit:entry", kwargs={"index": row.index}),
    }


def _detail(payload: dict[str, Any]) -> str:
    """The words of the act that people look for first."""
    keys = (
        "item",
        "component",
        "version",
        "side",
        "question",
        "title",
        "text",
        "reason",
        "why",
        "answer",
        "outcome",
        "restored",
    )
    return " · ".join(str(payload[key]) for key in keys if payload.get(key))[:200]
