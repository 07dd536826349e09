"""From a request id to the people who approved what answered it: every hop checked again, none hidden when broken."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from audit import canonical, ledger, proofs, trail
from audit.approval import model_names
from releases import statement
from releases.decisions import Unreadable, decision_body, replay
from releases.gate.clearance import SIDES
from releases.models import Decision, Pin, Release, SignOff
from systems.kinds import Kind
from systems.registry import content_of, hashed_bytes, is_intact


@dataclass(frozen=True)
class Step:
    """One hop. `ok` is None where nothing can be said, which is not the same as right."""

    name: str
    ok: bool | None
    sentence: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reproduction:
    request_id: str
    steps: tuple[Step, ...]
    release: Release | None
    decision: Decision | None

    @property
    def whole(self) -> bool:
        return bool(self.steps) and all(step.ok for step in self.steps)


def reproduce(request: trail.RequestView, *, now: datetime) -> Reproduction:
    """Recomputes every step from what is stored, from the request to the record."""
    steps = [_request_step(request)]
    release = _release_of(request)
    steps.append(_release_step(request, release))
    decision = None
    if release is not None:
        decision = decision_in_force(release, at=request.started_at)
        pins = list(release.pins.select_related("version", "component"))
        steps.append(_prompt_step(request, pins))
        steps.append(_model_step(request, pins))
        steps.append(_contract_step(request))
        steps += _decision_steps(release, decision)
    return Reproduction(request.request_id, tuple(steps), release, decision)


def _request_step(request: trail.RequestView) -> Step:
    proven, sentence = trail.check(request)
    return Step("Request", proven, sentence, {"trace": request.trace_id, "started": request.started_at})


def _release_of(request: trail.RequestView) -> Release | None:
    releases = Release.objects.select_related("system", "standard", "policy")
    return releases.filter(system__slug=request.system, label=request.release).first()


def _release_step(request: trail.RequestView, release: Release | None) -> Step:
    if not request.release:
        return Step("Release", False, "The request names no release.")
    if release is None:
        return Step("Release", False, f"The request names release {request.release}, which is not known here.")
    if request.unapproved:
        return Step("Release", False, f"Release {release.label} was not approved for this traffic at that moment.")
    return Step("Release", True, f"Release {release.label} of {release.system.name}.", {"release": str(release.pk)})


def _prompt_step(request: trail.RequestView, pins: list[Pin]) -> Step:
    """The prompt's text is hashed again, and its hash is the one that the request carries."""
    prompts = [pin.version for pin in pins if pin.component.kind == Kind.PROMPT]
    if not request.prompt_hash:
        return Step("Prompt", None, "The request carries no prompt hash.")
    for version in prompts:
        if not is_intact(version, content_of(version)):
            return Step(
                "Prompt", False, f"The stored text of version {version.number} does not have its hash any more."
            )
        if version.sha256 == request.prompt_hash:
            sentence = f"Version {version.number}; its text has the hash that the request carries."
            return Step("Prompt", True, sentence, {"version": str(version.pk), "sha256": version.sha256})
    return Step("Prompt", False, f"The request's prompt {request.prompt_hash} is not the one that the release pins.")


def _model_step(request: trail.RequestView, pins: list[Pin]) -> Step:
    """Every model that was called has a name that stands in a pinned version, whose content is hashed again."""
    if not request.models_seen:
        return Step("Model", None, "The request names no model.")
    names: set[str] = set()
    for version in (pin.version for pin in pins if pin.component.kind == Kind.MODEL):
        if not is_intact(version, content_of(version)):
            return Step("Model", False, f"The stored model {version.number} does not have its hash any more.")
        deployment: Any = canonical.loads(hashed_bytes(version))
        names.update(model_names(deployment))
    if strange := sorted(set(request.models_seen) - names):
        return Step("Model", False, f"The request called {', '.join(strange)}, which the release does not pin.")
    return Step("Model", True, f"{', '.join(request.models_seen)}, which the release pins.", {"pinned": sorted(names)})


def _contract_step(request: trail.RequestView) -> Step:
    match request.contract:
        case "valid":
            return Step("Contract", True, "The output fits the schema.")
        case "invalid":
            return Step("Contract", False, "The output does not fit the schema.")
    return Step("Contract", None, "The request says nothing about its schema.")


def decision_in_force(release: Release, *, at: datetime) -> Decision | None:
    """The decision under which the release served at that moment."""
    closing = release.decisions.filter(
        occasion__in=[Decision.Occasion.STARTED, Decision.Occasion.PROMOTED], decided_at__lte=at
    )
    return closing.select_related("release__system").order_by("-decided_at").first()


def _decision_steps(release: Release, decision: Decision | None) -> Iterator[Step]:
    if decision is None:
        yield Step("Decision", False, "No decision let this release serve at that moment.")
        return
    evaluation = decision.facts.get("evaluation")
    if evaluation:
        sentence = f"{evaluation['tool']} scored {evaluation['score']} on {evaluation['cases']} cases."
        yield Step("Evaluation", evaluation["outcome"] == "pass", sentence, {"run": evaluation["run"]})
    else:
        yield Step("Evaluation", False, "The decision rests on no evaluation.")
    yield _verdict_step(decision)
    intact = canonical.digest(decision_body(decision)) == decision.digest
    yield Step("Decision", intact, "Its digest is the recorded one." if intact else "The stored decision was altered.")
    yield from _signature_steps(release, decision)
    yield _record_step(release, decision)


def _verdict_step(decision: Decision) -> Step:
    details = {"decision": str(decision.pk), "digest": decision.digest}
    try:
        verdict, same = replay(decision)
    except Unreadable as error:
        return Step("Verdict", False, str(error), details)
    if not same:
        return Step("Verdict", False, "The gate says something else now.", details)
    return Step("Verdict", verdict.go, f"Gate {decision.gate_version} says {verdict.outcome} again.", details)


def _signature_steps(release: Release, decision: Decision) -> Iterator[Step]:
    """Both sides, each statement hashed again and, where a passkey signed, its signature verified again."""
    named = {row["sign_off"]: row for row in decision.signatures}
    rows = {str(row.pk): row for row in SignOff.objects.filter(pk__in=named).select_related("signer")}
    sections = sorted({row["side"] for row in named.values()} - set(SIDES))
    for side in (*SIDES, *sections):
        signed = [rows.get(pk) for pk, row in named.items() if row["side"] == side]
        if not signed:
            yield Step(f"Signed by {side}", False, "Nobody signed this side.")
        for row in signed:
            yield _signature_step(side, row, decision)


def _signature_step(side: str, row: SignOff | None, decision: Decision) -> Step:
    if row is None:
        return Step(f"Signed by {side}", False, "The signature is named by the decision but is gone.")
    if (
        canonical.digest(row.statement) != row.statement_digest
        or row.statement["state_digest"] != decision.state_digest
    ):
        return Step(f"Signed by {side}", False, f"The statement of {row.signer} is not the one that was signed.")
    if row.method == SignOff.Method.PASSKEY:
        problem = statement.check_assertion(row.statement, row.assertion or {})
        if problem:
            return Step(f"Signed by {side}", False, problem)
        return Step(f"Signed by {side}", True, f"{row.signer}, with a passkey over this very statement.")
    return Step(f"Signed by {side}", True, f"{row.signer}, with password and one-time code (not key-bound).")


def _record_step(release: Release, decision: Decision) -> Step:
    entry = ledger.entries(subject=release.subject).filter(at__gte=decision.decided_at).order_by("index").first()
    if entry is None:
        return Step("Record", False, "The decision has no entry in the ledger.")
    proven, sentence = proofs.check(entry)
    return Step("Record", proven, sentence, {"index": entry.index})
