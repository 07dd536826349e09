"""What a phase looked like when the release left it: frozen once, kept with the release, handed out as it was."""

from datetime import datetime
from typing import Any

from audit import canonical, ledger
from audit.actors import Actor
from releases.decisions import Standing
from releases.models import PhaseReport, Release


def freeze_report(release: Release, phase: str, found: Standing, *, by: Actor, now: datetime) -> PhaseReport:
    """In the transaction of the act that ends the phase. A release that is restored later keeps its first report."""
    existing = release.phase_reports.filter(phase=phase).first()
    if existing is not None:
        return existing
    body: Any = canonical.plain(_body(release, phase, found))
    report = PhaseReport.objects.create(
        release=release, phase=phase, body=body, digest=canonical.digest(body), frozen_at=now
    )
    ledger.append(
        kind="release.phase-frozen",
        by=by,
        subject=release.subject,
        system=release.system.slug,
        now=now,
        payload={"phase": phase, "digest": report.digest, "items": len(body["items"])},
    )
    return report


def _body(release: Release, phase: str, found: Standing) -> dict[str, Any]:
    facts = found.facts
    verdicts = {item.key: item for item in found.verdict.items}
    return {
        "type": "readiness/phase-report/v1",
        "system": release.system.slug,
        "release": release.label,
        "phase": phase,
        "standard": {"number": release.standard.number, "sha256": release.standard.sha256},
        "policy": {"number": release.policy.number, "sha256": release.policy.sha256},
        "pins": facts.pins,
        "items": [
            {
                "key": item.key,
                "title": item.title,
                "state": verdicts[item.key].state,
                "sentence": verdicts[item.key].sentence,
                "owner": item.owner,
                "evidence": [one.digest for one in item.evidence],
                "verified_by": item.verified_by,
                "verified_at": item.verified_at,
            }
            for item in facts.items
            if item.phase == phase
        ],
        "answers": facts.answers if phase == "pre-production" else [],
        "evaluation": facts.evaluation,
        "rates": facts.rates,
        "canary": facts.canary,
        "budget": facts.budget,
    }
