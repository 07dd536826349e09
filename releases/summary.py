"""The signed summary of a question as it stands now: what a deploy tool keeps and decides by, offline."""

from datetime import datetime
from typing import Any

from django.conf import settings

from audit import dsse, ledger, signing
from audit.dsse import Statement
from releases import attest
from releases.attest import About
from releases.decisions import Standing, standing
from releases.gate.types import Question
from releases.models import Release
from systems.kinds import Kind
from web.problems import Problem


class NoKey(Problem):
    code = "no-signing-key"


def summary(release: Release, question: Question, *, now: datetime) -> dict[str, Any]:
    """The envelope. PASSED needs clearance; a closed question answers with its decision, an ended release FAILED."""
    head = ledger.last_checkpoint()
    if head is None:
        raise NoKey("Nothing was signed here yet. The worker signs a few seconds after the first entry.")
    keys = signing.signers(head["note"].partition("\n")[0])
    if not keys:
        raise NoKey("This process has no signing key: it shares none of the worker's data folder.")
    found = standing(release, question, now=now)
    return dsse.envelope(statement(release, found, checkpoint=head["note"], now=now), keys)


def statement(release: Release, found: Standing, *, checkpoint: str, now: datetime) -> Statement:
    closed = found.closed_by
    if closed:
        signed = [(row["side"], row["statement_digest"]) for row in closed.signatures]
    else:
        rows = release.sign_offs.filter(question=found.question, voided_at=None, withdrawn_at=None)
        signed = list(rows.values_list("side", "statement_digest"))
    return attest.verdict(
        about(release, state_digest=closed.state_digest if closed else found.state_digest),
        question=found.question,
        cleared=found.cleared,
        decision=closed.digest if closed else None,
        inputs=attest.inputs_of(found.facts, signed),
        checkpoint=checkpoint,
        verifier_version=str(closed.gate_version if closed else found.verdict.gate_version),
        at=now,
    )


def about(release: Release, *, state_digest: str) -> About:
    artifacts = release.pins.filter(component__kind=Kind.ARTIFACT).select_related("component", "version")
    return About(
        system=release.system.slug,
        label=release.label,
        state_digest=state_digest,
        images=tuple(
            (pin.component.name, pin.version.meta.get("image_digest") or pin.version.sha256)
            for pin in artifacts.order_by("component__name")
        ),
        base_url=settings.BASE_URL,
        standard=release.standard.number,
        standard_digest=release.standard.sha256,
    )
