"""Makes bundles out of nothing but keys: true ones, and ones that whoever runs the server could forge.

The log here is one of its own, with a key that the tests know, so that a forger may be as powerful as it gets: he who
holds the signing key too is stopped by what people signed, by the gate, and by copies of heads that others hold.
"""

import base64
import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from fido2.utils import websafe_decode

from accounts.passkeys import PasskeyAssertion
from audit import bundle, canonical, dsse, merkle
from audit.checkpoint import Proof, Signer, TreeHead, sign
from audit.leaf import Leaf, commitment
from releases import attest, gate
from releases.gate.types import Facts, Question
from releases.statement import assertion_json, build, challenge
from systems.policy import ReleaseBars
from tests.accounts.authenticator import SoftKey
from tests.releases.sample_facts import NOW, go_facts

ORIGIN = "readiness.example/decisions"
KEY = Signer(ORIGIN, b"k" * 32)
OTHER_KEY = Signer(ORIGIN, b"o" * 32)
SITE = {"rp_id": "localhost", "origin": "http://localhost:8000"}
BARS = ReleaseBars()
EVIDENCE = b"what was looked at"


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def facts_with_content(question: Question = Question.RELEASE) -> Facts:
    """Facts whose digests have content: one text stands for all evidence, and for the evaluation's raw file."""
    text = canonical.dumps(go_facts(question)).decode()
    for letter in "ed":
        text = text.replace("sha256:" + letter * 64, digest_of(EVIDENCE))
    return gate.types.facts_from_json(json.loads(text))


@dataclass
class Person:
    id: str
    name: str
    key: SoftKey = field(default_factory=SoftKey)


def answer(key: SoftKey, statement: dict[str, Any]) -> dict[str, Any]:
    """The passkey's answer over a statement, as it is stored."""
    given = key.answer(challenge(statement))["response"]
    assertion = PasskeyAssertion(
        credential_id=key.credential_id,
        public_key=key.cose,
        authenticator_data=websafe_decode(given["authenticatorData"]),
        client_data_json=websafe_decode(given["clientDataJSON"]),
        signature=websafe_decode(given["signature"]),
    )
    return assertion_json(assertion, **SITE)


@dataclass
class Maker:
    """Change any part before `files()`, `packed()`: what follows from it is made to fit, as a forger would."""

    facts: Facts = field(default_factory=facts_with_content)
    ann: Person = field(default_factory=lambda: Person("ann-id", "Ann Engineer"))
    ben: Person = field(default_factory=lambda: Person("ben-id", "Ben Operator"))
    signer: Signer = KEY
    signers: dict[str, Person] = field(default_factory=dict)
    row: dict[str, Any] = field(default_factory=dict)  # changes of each signature's row in the decision
    decision_change: dict[str, Any] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)  # changes of each statement before it is signed
    predicate_change: dict[str, Any] = field(default_factory=dict)

    def state(self) -> dict[str, Any]:
        pins = [
            {"kind": pin.kind, "component": pin.component, "version": pin.version, "sha256": pin.sha256}
            for pin in self.facts.pins
        ]
        facts = self.facts
        return {"release": facts.release, "label": facts.label, "system": facts.system, "pins": pins}

    def files(self) -> dict[str, bytes]:
        facts, state = self.facts, self.state()
        verdict = gate.judge(facts, BARS, now=NOW)
        digest = canonical.digest(state)
        signatures = [
            self._signature(side, person, verdict, digest)
            for side, person in (self.signers or {"engineering": self.ann, "operations": self.ben}).items()
        ]
        listed = [{k: v for k, v in row.items() if k not in ("statement", "assertion")} for row in signatures]
        decision: Any = canonical.plain(
            {
                "type": "readiness/decision/v1",
                "release": facts.release,
                "label": facts.label,
                "system": facts.system,
                "question": facts.question,
                "occasion": "promoted",
                "gate_version": 1,
                "state_digest": digest,
                "facts": facts,
                "policy": {"number": 1, "sha256": digest_of(b"policy"), "body": BARS.body()},
                "verdict": verdict,
                "cleared": True,
                "signatures": listed,
                "references": {"state": state},
                "decided_at": NOW,
                **self.decision_change,
            }
        )
        files = {
            "decision.json": canonical.dumps(decision),
            "state.json": canonical.dumps(state),
            "signatures.json": canonical.dumps(signatures),
            f"evidence/{digest_of(EVIDENCE).partition(':')[2]}": EVIDENCE,
        }
        return files | self._ledger(decision, signatures) | self._attestations(decision, signatures)

    def _signature(self, side: str, person: Person, verdict: Any, digest: str) -> dict[str, Any]:
        facts = self.facts
        statement = (
            build(
                release=facts.release,
                label=facts.label,
                system=facts.system,
                side=side,
                person={"id": person.id, "name": person.name},
                state_digest=digest,
                verdict=verdict,
                live={},
                nonce=f"nonce-{side}",
                shown_at=NOW - timedelta(minutes=5),
            )
            | self.said
        )
        assertion = answer(person.key, statement)
        return {
            "sign_off": f"sign-off-{side}",
            "side": side,
            "signer": person.id,
            "name": person.name,
            "grant": "g",
            "founding": False,
            "holds_role": True,
            "is_author": False,
            "method": "passkey",
            "statement_digest": canonical.digest(statement),
            "public_key": assertion["public_key"],
            "signed_at": canonical.plain(NOW - timedelta(minutes=4)),
            "statement": statement,
            "assertion": assertion,
            **self.row,
        }

    def _ledger(self, decision: dict[str, Any], signatures: list[dict[str, Any]]) -> dict[str, bytes]:
        acts = [
            ("release.signed", f"user:{row['signer']}", {key: row[key] for key in ("sign_off", "statement_digest")})
            for row in signatures
        ]
        acts.append(("release.promoted", f"user:{self.ben.id}", {"decision_digest": canonical.digest(decision)}))
        return ledger_of(acts, subject=f"release:{self.facts.release}", signer=self.signer)

    def _attestations(self, decision: dict[str, Any], signatures: list[dict[str, Any]]) -> dict[str, bytes]:
        facts = self.facts
        about = attest.About(
            system=facts.system,
            label=facts.label,
            state_digest=decision["state_digest"],
            images=(("support-bot", digest_of(b"image")),),
            base_url="https://readiness.example",
            standard=facts.standard.name,
            standard_digest=facts.standard.sha256,
        )
        assert facts.evaluation is not None
        vsa = attest.verdict(
            about,
            question=facts.question,
            cleared=True,
            decision=canonical.digest(decision),
            inputs=attest.inputs_of(facts, [(row["side"], row["statement_digest"]) for row in signatures]),
            checkpoint=None,
            verifier_version="1",
            at=NOW,
        )
        vsa = dsse.Statement(vsa.subject, vsa.predicate_type, {**vsa.predicate, **self.predicate_change})
        statements = {"verdict": vsa, "evaluation": attest.evaluation(about, facts.evaluation)}
        statements |= {row["sign_off"]: attest.sign_off(about, row) for row in signatures}
        return {
            f"attestations/{name}.dsse.json": canonical.dumps(dsse.envelope(statement, [self.signer]))
            for name, statement in statements.items()
        }

    def packed(self) -> io.BytesIO:
        return pack(self.files())


def ledger_of(acts: list[tuple[str, str, Any]], *, subject: str, signer: Signer) -> dict[str, bytes]:
    """A whole little log over these acts, with its signed head."""
    lines, hashes, at = [], [], str(canonical.plain(NOW))
    for index, (kind, actor, said) in enumerate(acts):
        payload, salt = canonical.dumps(said), bytes([index]) * 32
        leaf = Leaf(index, kind, actor, "", subject, "support-bot", at, at, commitment(salt, payload)).encode()
        lines.append(bundle.write_entry(leaf.decode(), base64.b64encode(salt).decode(), payload.decode()))
        hashes.append(merkle.leaf_hash(leaf))
    note = sign(TreeHead(ORIGIN, len(hashes), merkle.root(hashes)), [signer])
    files = {bundle.ENTRIES: b"".join(lines), bundle.KEYS: f"{signer.public}\n".encode()}
    for index in range(len(hashes)):
        hashes_of = merkle.inclusion_proof(index, len(hashes), merkle.in_memory(hashes))
        files[f"ledger/{index}.tlog-proof"] = Proof(index, tuple(hashes_of), note).text().encode()
    return files


def pack(files: dict[str, bytes], *, about: dict[str, Any] | None = None) -> io.BytesIO:
    """The archive with a manifest that fits its files."""
    out = io.BytesIO()
    manifest = {"origin": ORIGIN, "decision": digest_of(files.get("decision.json", b"")), "left_out": {}}
    bundle.pack(files, manifest | (about or {}), out)
    out.seek(0)
    return out


def rewritten(archive: io.BytesIO, change: Any) -> io.BytesIO:
    """The same archive, its raw members changed without the manifest knowing."""
    out = io.BytesIO()
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(out, "w") as new:
        for name, data in change([(info.filename, old.read(info)) for info in old.infolist()]):
            new.writestr(name, data)
    out.seek(0)
    return out
