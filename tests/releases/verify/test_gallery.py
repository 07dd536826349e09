"""Forged bundles, each refused for its own reason: from a flipped byte to a forger who holds the signing key."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from audit import canonical, dsse
from audit.bundle import BundleError, open_bundle
from audit.checkpoint import TreeHead, sign
from releases.verify.steps import steps
from tests.releases.verify.maker import (
    EVIDENCE,
    KEY,
    ORIGIN,
    OTHER_KEY,
    Maker,
    Person,
    answer,
    digest_of,
    facts_with_content,
    pack,
    rewritten,
)

Forge = Callable[[], io.BytesIO]


def verified(archive: io.BytesIO, **options: Any) -> list[tuple[str, str]]:
    return list(steps(open_bundle(archive, **options)))


def test_a_true_bundle_verifies_step_by_step() -> None:
    found = verified(Maker().packed(), keys=[str(KEY.public)])
    assert len(found) == 11
    assert dict(found)["Two different people, in their roles, no author"] == (
        "Ann Engineer (engineering) and Ben Operator (operations)"
    )
    assert "PASSED (READINESS_ENG_OPS_SIGNED)" in found[-1][1]


def json_changed(files: dict[str, bytes], name: str, change: Callable[[Any], None]) -> dict[str, bytes]:
    content = json.loads(files[name])
    change(content)
    return files | {name: canonical.dumps(content)}


def lines_changed(files: dict[str, bytes], change: Callable[[list[Any]], None]) -> dict[str, bytes]:
    rows = [json.loads(line) for line in files["ledger/entries.jsonl"].splitlines()]
    change(rows)
    return files | {"ledger/entries.jsonl": b"".join(canonical.dumps(row) + b"\n" for row in rows)}


def flipped_byte() -> io.BytesIO:
    return rewritten(
        Maker().packed(), lambda members: [(n, d[:-1] + b"?" if "evidence/" in n else d) for n, d in members]
    )


def file_removed() -> io.BytesIO:
    return rewritten(Maker().packed(), lambda members: [(n, d) for n, d in members if n != "state.json"])


def file_added() -> io.BytesIO:
    return rewritten(Maker().packed(), lambda members: [*members, ("approval.pdf", b"yes")])


def file_twice() -> io.BytesIO:
    return rewritten(Maker().packed(), lambda members: [*members, *members[-1:]])


def path_out_of_the_archive() -> io.BytesIO:
    return pack(Maker().files() | {"../../etc/cron.d/x": b"x"})


def verdict_flipped() -> io.BytesIO:
    """The decision says no-go in the ledger; its copy says go, and the manifest fits it."""
    files = Maker().files()
    return pack(json_changed(files, "decision.json", lambda d: d["facts"].update(label="2026.11.3")))


def another_decision() -> io.BytesIO:
    return pack(Maker().files(), about={"decision": digest_of(b"another")})


def state_altered() -> io.BytesIO:
    return pack(json_changed(Maker().files(), "state.json", lambda state: state["pins"][0].update(version=4)))


def verdict_never_given() -> io.BytesIO:
    """The forger holds the key and writes a go into decision and ledger; the facts say otherwise."""
    maker = Maker(facts=replace(facts_with_content(), freezes=(), budget=None))
    go = Maker().files()
    maker.decision_change = {"verdict": json.loads(go["decision.json"])["verdict"]}
    return maker.packed()


def unknown_gate() -> io.BytesIO:
    return Maker(decision_change={"gate_version": 99}).packed()


def statement_altered() -> io.BytesIO:
    return pack(
        json_changed(Maker().files(), "signatures.json", lambda rows: rows[0]["statement"].update(meaning="Yes."))
    )


def signature_dropped() -> io.BytesIO:
    return pack(json_changed(Maker().files(), "signatures.json", lambda rows: rows.pop()))


def passkey_of_another_statement() -> io.BytesIO:
    """A true signature of the right person, given for something else."""
    maker = Maker()

    def transplant(rows: list[Any]) -> None:
        rows[0]["assertion"] = answer(maker.ann.key, rows[0]["statement"] | {"label": "2026.10.1"})

    return pack(json_changed(maker.files(), "signatures.json", transplant))


def passkey_of_another_person() -> io.BytesIO:
    def swap(rows: list[Any]) -> None:
        rows[0]["assertion"] = rows[1]["assertion"]

    return pack(json_changed(Maker().files(), "signatures.json", swap))


def signed_for_another_release() -> io.BytesIO:
    return Maker(said={"label": "2026.11.1"}).packed()


def signed_for_the_canary() -> io.BytesIO:
    return Maker(said={"question": "canary"}).packed()


def signed_on_a_no_go() -> io.BytesIO:
    return Maker(said={"verdict": {"outcome": "no-go", "gate_version": 1}}).packed()


def one_person_twice() -> io.BytesIO:
    ann = Person("ann-id", "Ann Engineer")
    return Maker(signers={"engineering": ann, "operations": ann}).packed()


def one_side_only() -> io.BytesIO:
    return Maker(signers={"engineering": Person("ann-id", "Ann Engineer")}).packed()


def role_was_over() -> io.BytesIO:
    return Maker(row={"holds_role": False}).packed()


def signed_by_an_author() -> io.BytesIO:
    return Maker(row={"is_author": True}).packed()


def silent_about_authors() -> io.BytesIO:
    return Maker(row={"is_author": None}).packed()


def evidence_missing() -> io.BytesIO:
    return pack({name: data for name, data in Maker().files().items() if not name.startswith("evidence/")})


def evidence_replaced() -> io.BytesIO:
    name = f"evidence/{digest_of(EVIDENCE).partition(':')[2]}"
    return pack(Maker().files() | {name: b"something nicer"})


def payload_altered() -> io.BytesIO:
    return pack(lines_changed(Maker().files(), lambda rows: rows[0].update(payload='{"sign_off":"x"}')))


def leaf_altered() -> io.BytesIO:
    def change(rows: list[Any]) -> None:
        rows[0]["leaf"] = rows[0]["leaf"].replace("ann-id", "eve-id")

    return pack(lines_changed(Maker().files(), change))


def proof_of_another_place() -> io.BytesIO:
    files = Maker().files()
    return pack(files | {"ledger/0.tlog-proof": files["ledger/1.tlog-proof"]})


def proof_cut_short() -> io.BytesIO:
    files = Maker().files()
    lines = files["ledger/0.tlog-proof"].decode().split("\n")
    return pack(files | {"ledger/0.tlog-proof": "\n".join([*lines[:2], *lines[3:]]).encode()})


def head_of_another_key() -> io.BytesIO:
    files = Maker(signer=OTHER_KEY).files()
    return pack(files | {"ledger/keys.txt": f"{KEY.public}\n".encode()})


def head_of_another_log() -> io.BytesIO:
    return pack(Maker().files(), about={"origin": "readiness.example/other"})


def no_ledger() -> io.BytesIO:
    return pack(Maker().files() | {"ledger/entries.jsonl": b""})


def summary_by_another_key() -> io.BytesIO:
    """The attestations re-signed by somebody who made a PASSED of his own."""
    files = Maker().files()
    statement = dsse.opened(json.loads(files["attestations/verdict.dsse.json"]), [KEY.public])
    return pack(files | {"attestations/verdict.dsse.json": canonical.dumps(dsse.envelope(statement, [OTHER_KEY]))})


def summary_edited() -> io.BytesIO:
    def change(envelope: Any) -> None:
        envelope["payload"] = envelope["payload"][:-8] + "AAAAAA=="

    return pack(json_changed(Maker().files(), "attestations/verdict.dsse.json", change))


def summary_of_another_question() -> io.BytesIO:
    return Maker(predicate_change={"urn:readiness:question": "canary"}).packed()


def summary_says_otherwise() -> io.BytesIO:
    return Maker(predicate_change={"verificationResult": "FAILED"}).packed()


def no_summary() -> io.BytesIO:
    files = Maker().files()
    del files["attestations/verdict.dsse.json"]
    return pack(files)


def signature_not_attested() -> io.BytesIO:
    files = Maker().files()
    del files["attestations/sign-off-operations.dsse.json"]
    return pack(files)


GALLERY: list[tuple[Forge, str]] = [
    (flipped_byte, "is not the file that the manifest names"),
    (file_removed, "state.json is missing"),
    (file_added, "approval.pdf is in the archive, and not in its manifest"),
    (file_twice, "holds a file twice"),
    (path_out_of_the_archive, "a file outside of itself"),
    (verdict_flipped, "no entry of the ledger names this decision"),
    (another_decision, "the manifest names another decision"),
    (state_altered, "state.json is not the state"),
    (verdict_never_given, "gate 1 says something else on these facts"),
    (unknown_gate, "There is no gate 99 here"),
    (statement_altered, "the statement is not the one that was signed"),
    (signature_dropped, "does not hold exactly the signatures"),
    (passkey_of_another_statement, "signed over another challenge"),
    (passkey_of_another_person, "made with another key than the recorded one"),
    (signed_for_another_release, "given for another label: 2026.11.1"),
    (signed_for_the_canary, "given for another question: canary"),
    (signed_on_a_no_go, "given on a no-go"),
    (one_person_twice, "the same person signed both sides"),
    (one_side_only, "operations has not signed"),
    (role_was_over, "no longer holds that role"),
    (signed_by_an_author, "an author of the release signed"),
    (silent_about_authors, "does not say whether its signer held the role"),
    (evidence_missing, "the evidence sha256:.* is missing"),
    (evidence_replaced, "has another content than its name says"),
    (payload_altered, "entry 0: its payload is not the one that was recorded"),
    (leaf_altered, "entry 0: the proof leads to another root"),
    (proof_of_another_place, "proven at place 1"),
    (proof_cut_short, "the proof is too short"),
    (head_of_another_key, "not signed by a known key"),
    (head_of_another_log, "is of the log 'readiness.example/decisions', not 'readiness.example/other'"),
    (no_ledger, "holds no entry of the ledger"),
    (summary_by_another_key, "verdict.dsse.json: the envelope is not signed by a known key"),
    (summary_edited, "verdict.dsse.json: the envelope is not signed by a known key"),
    (summary_of_another_question, "answers another question"),
    (summary_says_otherwise, "the summary says FAILED, the decision PASSED"),
    (no_summary, "holds no verification summary"),
    (signature_not_attested, "the attested signatures are not those of the bundle"),
]


@pytest.mark.parametrize(("forge", "reason"), GALLERY, ids=[forge.__name__ for forge, _ in GALLERY])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_forged_bundle_is_refused_for_its_own_reason(forge: Forge, reason: str) -> None:
    with pytest.raises(BundleError, match=reason):
        verified(forge())


def test_a_whole_world_of_the_forgers_own_falls_to_a_key_of_the_auditors() -> None:
    forged = Maker(signer=OTHER_KEY)
    assert len(verified(forged.packed())) == 11  # nothing in it contradicts itself
    with pytest.raises(BundleError, match="none of the keys in the bundle"):
        verified(forged.packed(), keys=[str(KEY.public)])


def test_a_split_view_falls_to_a_head_of_the_auditors() -> None:
    own = sign(TreeHead(ORIGIN, 3, b"r" * 32), [KEY])
    with pytest.raises(BundleError, match="you were shown another log"):
        verified(Maker().packed(), checkpoint=own)


def test_what_is_no_archive_is_no_bundle() -> None:
    with pytest.raises(BundleError, match="not a zip archive"):
        verified(io.BytesIO(b"PK"))
