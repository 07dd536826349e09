"""The steps of a bundle's verification, in the order in which trust is built. Pure: what the gate is made of, no more.

After the four of `audit.bundle` (files, keys, ledger, attestations) come those that know what a release is. Each raises
BundleError at what is wrong, so that the first broken link is the one that is named.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from audit import bundle as archive
from audit import canonical
from audit.bundle import Bundle, BundleError
from releases import attest, gate
from releases.gate.clearance import SIDES, missing_signatures
from releases.gate.types import Facts, SignatureFact, Verdict, facts_from_json
from releases.statement import MEANING, check_assertion
from systems.policy import PolicyError, ReleaseBars, release_bars

OCCASIONS = {"signed": "release.signed", "started": "release.rollout-started", "promoted": "release.promoted"}


@dataclass
class Release:
    """What the steps have established about the decision so far."""

    bundle: Bundle
    decision: dict[str, Any]
    facts: Facts
    bars: ReleaseBars
    verdict: Verdict
    signatures: list[dict[str, Any]]


def steps(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """Each step as (what was checked, what was found)."""
    yield from archive.steps(bundle)
    release = read(bundle)
    yield "The decision is the one that the ledger names", decision_step(release)
    yield "The recorded state is the one that was decided on", state_step(release)
    yield "The verdict: the gate that decided, run again on the facts", verdict_step(release)
    yield "Signatures: each statement, over this state, for this question", signatures_step(release)
    yield "Two different people, in their roles, no author", people_step(release)
    yield "Evidence: the content of every digest", evidence_step(release)
    yield "The attestations say what was decided", attestations_step(release)


def read(bundle: Bundle) -> Release:
    """Decision and facts, refused where a field is missing or of another type."""
    data = bundle.read("decision.json")
    decision: Any = bundle.read_json("decision.json")
    if canonical.dumps(decision) != data:
        raise BundleError("decision.json is not in canonical form")
    try:
        facts = facts_from_json(decision["facts"])
        bars = release_bars(decision["policy"]["body"])
        verdict = gate.types.verdict_from_json(decision["verdict"])
        datetime.fromisoformat(decision["decided_at"])
        signatures = bundle.read_json("signatures.json")
        rows = [{**row} for row in signatures]
    except (msgspec.ValidationError, PolicyError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"decision.json or signatures.json cannot be read: {error}") from None
    return Release(bundle, decision, facts, bars, verdict, rows)


def decision_step(release: Release) -> str:
    """An entry of the right kind, about this release, whose payload names the decision's digest."""
    decision, digest = release.decision, canonical.digest(release.decision)
    if digest != release.bundle.manifest.get("decision"):
        raise BundleError("the manifest names another decision")
    kind = OCCASIONS.get(decision.get("occasion", ""))
    for entry in release.bundle.entries.values():
        if entry.leaf.kind == kind and entry.payload.get("decision_digest") == digest:
            if entry.leaf.subject != f"release:{release.facts.release}":
                raise BundleError(f"entry {entry.leaf.index} is about {entry.leaf.subject}, not about this release")
            return f"{digest}, entry {entry.leaf.index}, {entry.leaf.recorded_at}"
    raise BundleError("no entry of the ledger names this decision: it was altered, or never taken")


def state_step(release: Release) -> str:
    decision, facts = release.decision, release.facts
    state: Any = release.bundle.read_json("state.json")
    if canonical.digest(state) != decision["state_digest"]:
        raise BundleError("state.json is not the state that the decision names")
    named = (state.get("release"), state.get("label"), state.get("system"))
    if named != (facts.release, facts.label, facts.system) or decision["question"] != facts.question.value:
        raise BundleError("state, facts and decision are not of one release and one question")
    pins = sorted((pin["kind"], pin["component"], pin["version"], pin["sha256"]) for pin in state["pins"])
    seen = sorted((p.kind, p.component, p.version, p.sha256) for p in facts.pins if p.version is not None)
    if not set(seen) <= set(pins):
        raise BundleError("the facts name other pins than the recorded state")
    return f"{decision['state_digest']}, {len(pins)} pins"


def verdict_step(release: Release) -> str:
    decision = release.decision
    now = datetime.fromisoformat(decision["decided_at"])
    try:
        again = gate.judge(release.facts, release.bars, now=now, version=decision["gate_version"])
    except gate.UnknownGate as error:
        raise BundleError(str(error)) from None
    if canonical.dumps(again) != canonical.dumps(decision["verdict"]):
        raise BundleError(f"gate {decision['gate_version']} says something else on these facts")
    return f"gate {decision['gate_version']}: {again.outcome.value}, with {len(again.reasons)} reasons against it"


def signatures_step(release: Release) -> str:
    """What each person signed: the statement's digest, the passkey's signature over it, and over which state."""
    decision = release.decision
    listed = {row["sign_off"]: row for row in decision["signatures"]}
    given = {row.get("sign_off"): row for row in release.signatures}
    if set(listed) != set(given):
        raise BundleError("signatures.json does not hold exactly the signatures that the decision counted")
    found = []
    for name, row in given.items():
        _signature(release, listed[name], row)
        how = "passkey" if row["method"] == "passkey" else "password and code, not key-bound"
        found.append(f"{row['name']} for {row['side']} ({how})")
    return "; ".join(found) or "none: nobody had signed"


def _signature(release: Release, listed: dict[str, Any], row: dict[str, Any]) -> None:
    who = f"the signature of {listed['name']} for {listed['side']}"
    if any(row.get(key) != listed[key] for key in listed):
        raise BundleError(f"{who} is not the one that the decision counted")
    said = row.get("statement")
    if not isinstance(said, dict) or canonical.digest(said) != listed["statement_digest"]:
        raise BundleError(f"{who}: the statement is not the one that was signed")
    if not any(
        entry.leaf.kind == "release.signed"
        and entry.payload.get("sign_off") == listed["sign_off"]
        and entry.payload.get("statement_digest") == listed["statement_digest"]
        and entry.leaf.actor == f"user:{listed['signer']}"
        for entry in release.bundle.entries.values()
    ):
        raise BundleError(f"{who} is not in the ledger, or another person's")
    facts = release.facts
    expected = {
        "release": facts.release,
        "system": facts.system,
        "label": facts.label,
        "question": facts.question.value,
        "side": listed["side"],
        "meaning": MEANING.get((facts.question.value, listed["side"])),
        "state_digest": release.decision["state_digest"],
    }
    for key, value in expected.items():
        if said.get(key) != value:
            raise BundleError(f"{who} was given for another {key.replace('_', ' ')}: {said.get(key)}")
    if said.get("person", {}).get("id") != listed["signer"]:
        raise BundleError(f"{who} names another person")
    if said.get("verdict", {}).get("outcome") != "go":
        raise BundleError(f"{who} was given on a no-go")
    if listed["method"] == "passkey":
        assertion = row.get("assertion") or {}
        if assertion.get("public_key") != listed["public_key"]:
            raise BundleError(f"{who} was made with another key than the recorded one")
        if problem := check_assertion(said, assertion):
            raise BundleError(f"{who}: {problem}")


def people_step(release: Release) -> str:
    """Clearance, counted again by the rule that counted it then."""
    rows = release.decision["signatures"]
    if any(type(row.get(key)) is not bool for row in rows for key in ("holds_role", "is_author")):
        raise BundleError("a signature does not say whether its signer held the role, or wrote the release")
    facts = [
        SignatureFact(
            side=row["side"],
            signer=row["signer"],
            state_digest=release.decision["state_digest"],
            signed_at=datetime.fromisoformat(row["signed_at"]),
            method=row["method"],
            voided=False,
            holds_role=row["holds_role"],
            is_author=row["is_author"],
        )
        for row in rows
    ]
    digest = release.decision["state_digest"]
    missing = missing_signatures(release.verdict, facts, state_digest=digest, bars=release.bars)
    occasion, cleared = release.decision["occasion"], release.decision["cleared"]
    if cleared is not (not missing):
        why = missing[0].sentence if missing else "nothing is missing"
        raise BundleError(f"the decision says cleared: {cleared}, but {why[:1].lower()}{why[1:]}")
    if missing and occasion in ("started", "promoted"):
        raise BundleError(f"it was {occasion} without clearance: {missing[0].sentence}")
    if missing:
        return f"not cleared yet: {missing[0].sentence}"
    return " and ".join(f"{row['name']} ({row['side']})" for side in SIDES for row in rows if row["side"] == side)


def evidence_step(release: Release) -> str:
    """Digests were checked with the manifest; here: that none is missing but those that it names as left out."""
    wanted = {evidence.digest for item in release.facts.items for evidence in item.evidence}
    if release.facts.evaluation:
        wanted.add(release.facts.evaluation.raw_digest)
    names = release.bundle.manifest["files"]
    left_out = release.bundle.manifest.get("left_out") or {}
    held = 0
    for digest in sorted(wanted):
        name = f"evidence/{digest.partition(':')[2]}"
        if name in names:
            if names[name] != digest:
                raise BundleError(f"{name} has another content than its name says")
            held += 1
        elif digest not in left_out:
            raise BundleError(f"the evidence {digest} is missing")
    absent = f"; {len(wanted) - held} by digest only ({', '.join(sorted(set(left_out.values())))})" if left_out else ""
    return f"{held} pieces{absent}"


def attestations_step(release: Release) -> str:
    """The summary for deploy tools, and one statement for each signature: nothing but what was decided."""
    said = release.bundle.statements.get("verdict.dsse.json")
    if said is None or said.predicate_type != attest.VSA:
        raise BundleError("the bundle holds no verification summary")
    predicate = said.predicate
    expected = "PASSED" if release.decision["cleared"] else "FAILED"
    if predicate.get("verificationResult") != expected:
        raise BundleError(f"the summary says {predicate.get('verificationResult')}, the decision {expected}")
    if predicate.get(attest.QUESTION) != release.facts.question.value:
        raise BundleError("the summary answers another question")
    if predicate.get(attest.DECISION) != canonical.digest(release.decision):
        raise BundleError("the summary is about another decision")
    state = attest.digests(release.decision["state_digest"])
    for name, statement in release.bundle.statements.items():
        if not statement.subject or statement.subject[0].get("digest") != state:
            raise BundleError(f"{name} is about something else than the recorded state")
    signed = [s.predicate for s in release.bundle.statements.values() if s.predicate_type == attest.SIGN_OFF]
    if sorted(map(canonical.digest, signed)) != sorted(map(canonical.digest, release.signatures)):
        raise BundleError("the attested signatures are not those of the bundle")
    levels = ", ".join(predicate.get("verifiedLevels", []))
    return f"{expected} ({levels}), for deploy tools until {predicate.get(attest.EXPIRES)}"
