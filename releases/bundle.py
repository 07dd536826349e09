"""The bundle of a decision: everything it rests on, with the proofs, in one file that verifies without us.

Made from what is stored: the decision with its facts, the signatures, the evidence by digest, and the ledger's entries.
Nothing is computed afresh but the attestations' signatures, so the same decision gives the same statements.
"""

import base64
import io
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from audit import bundle as archive
from audit import canonical, dsse, ledger, proofs, signing, vault
from audit.bundle import ATTESTATIONS, ENTRIES, KEYS, write_entry
from audit.models import Checkpoint, Entry, Payload
from metrics.models import EvaluationRun
from operations.models import Drill
from releases import attest
from releases.decisions import decision_body
from releases.gate.types import Facts, facts_from_json, verdict_from_json
from releases.models import Decision, Evidence, SignOff
from releases.review import SECTIONS, review, section_items
from releases.summary import about as about_release
from web.problems import Problem

# Acts that name a decision in their payload, or one of its signatures.
KINDS = ("release.signed", "release.rollout-started", "release.promoted")
# More content than this is named by its digest only, so that the bundle fits into the store of evidence.
MAX_CONTENT_BYTES = 40 * 1024 * 1024

README = """The bundle of a release decision: {system} {label}, the {question} question, decided {at}.

To verify it, without a network and without Django:   python -m releases.verify THIS_FILE.zip --key PUBLIC_KEY
Take the public key from a source of your own, not from this file.

index.html        the review, to read and to print
decision.json     facts, policy, gate version and verdict: the gate runs again on it
state.json        what the signatures cover
signatures.json   each signed statement, with the passkey's answer
checklist.json    items, who verified which evidence        evidence/   its content, by digest
evaluation.json, canary.json, drills.json, security.json, review.json
ledger/           entries with payload, inclusion proofs, public keys
attestations/     in-toto statements in DSSE envelopes: verdict (SLSA VSA), evaluation (test result), sign-offs
"""


class NotProven(Problem):
    """The ledger's last checkpoint does not cover the decision yet: a worker signs one every few seconds."""

    code = "not-signed-yet"


class NoBundle(Problem):
    code = "no-bundle"


def build(decision: Decision, *, now: datetime) -> bytes:
    if decision.occasion == Decision.Occasion.ASKED:
        raise NoBundle(
            "A pipeline's question has no bundle of its own. Take that of a signature, a start or a promotion."
        )
    checkpoint = Checkpoint.objects.order_by("size").last()
    rows = _entries(decision)
    if checkpoint is None or not rows or max(row.index for row in rows) >= checkpoint.size:
        raise NotProven("The record of this decision waits for the next signed checkpoint. Try again in some seconds.")
    origin = checkpoint.note.partition("\n")[0]
    files, left_out = _documents(decision), {}
    for digest in sorted(_digests(decision)):
        content = _content(digest, room=MAX_CONTENT_BYTES - sum(map(len, files.values())))
        if isinstance(content, bytes):
            files[f"evidence/{digest.partition(':')[2]}"] = content
        else:
            left_out[digest] = content
    files |= _ledger(rows, checkpoint)
    files |= _attestations(decision, checkpoint, origin)
    about = {
        "origin": origin,
        "release": f"{decision.release.system.slug}:{decision.release.label}",
        "question": decision.question,
        "decision": decision.digest,
        "made_at": canonical.plain(now),
        "left_out": left_out,
    }
    out = io.BytesIO()
    archive.pack(files, about, out)
    return out.getvalue()


def _documents(decision: Decision) -> dict[str, bytes]:
    facts, verdict = facts_from_json(decision.facts), verdict_from_json(decision.verdict)
    checklist = _checklist(decision, facts)
    rows = review(facts)
    security = {
        title: [{"item": name, "state": state} for name, state in section_items(facts, verdict.items, role)]
        for role, title in SECTIONS.items()
    }
    signatures = signature_rows(decision)
    documents = {
        "decision.json": decision_body(decision),
        "state.json": decision.references["state"],
        "signatures.json": signatures,
        "checklist.json": checklist,
        "evaluation.json": {"fact": facts.evaluation, "bars": decision.policy["body"]},
        "canary.json": {
            "plan": facts.plan,
            "canary": facts.canary,
            "rates": facts.rates,
            "windows": decision.references["windows"],
        },
        "drills.json": _drills(facts),
        "security.json": security,
        "review.json": {row.name: row.value for row in rows},
    }
    files = {name: canonical.dumps(document) for name, document in documents.items()}
    page = {"decision": decision, "rows": rows, "checklist": checklist, "security": security, "signatures": signatures}
    files["index.html"] = render_to_string("releases/bundle.html", page).encode()
    files["style.css"] = (settings.BASE_DIR / "static" / "css" / "bundle.css").read_bytes()
    files["README.txt"] = README.format(
        system=decision.release.system.slug,
        label=decision.release.label,
        question=decision.question,
        at=decision.decided_at,
    ).encode()
    return files


def _checklist(decision: Decision, facts: Facts) -> list[dict[str, Any]]:
    """Items as they stood, with what their evidence is called; its bytes are in `evidence/`."""
    states = {row["key"]: row for row in decision.verdict["items"]}
    wanted = {evidence.digest for item in facts.items for evidence in item.evidence}
    rows = Evidence.objects.filter(item__release=decision.release, digest__in=wanted).select_related("attached_by")
    titles = {row.digest: row for row in rows}
    return [
        {
            "key": item.key,
            "title": item.title,
            "phase": item.phase,
            "owner_role": item.owner_role,
            "state": states[item.key]["state"],
            "sentence": states[item.key]["sentence"],
            "verified_by": item.verified_by,
            "verified_at": item.verified_at,
            "evidence": [
                {
                    "digest": evidence.digest,
                    "title": titles[evidence.digest].title if evidence.digest in titles else evidence.kind,
                    "media_type": titles[evidence.digest].media_type if evidence.digest in titles else "",
                    "url": titles[evidence.digest].url if evidence.digest in titles else "",
                    "attached_by": evidence.attached_by,
                    "attached_at": evidence.attached_at,
                    "valid_until": evidence.valid_until,
                }
                for evidence in item.evidence
            ],
        }
        for item in facts.items
    ]


def _drills(facts: Facts) -> list[dict[str, Any]]:
    """The rehearsals that the gate counted, with their plan and log."""
    rows = {str(row.pk): row for row in Drill.objects.filter(pk__in=[drill.id for drill in facts.drills])}
    found = []
    for drill in facts.drills:
        row = rows.get(drill.id)
        said = {"plan": row.plan, "log": row.log, "started_at": row.started_at, "outcome": row.outcome} if row else {}
        found.append({"kind": drill.kind, "id": drill.id, "seconds": drill.seconds, "ended_at": drill.ended_at} | said)
    return found


def _digests(decision: Decision) -> set[str]:
    """Everything with bytes that the decision rests on."""
    evidence = {row["digest"] for item in decision.facts["items"] for row in item["evidence"]}
    raw = {window["raw_digest"] for window in decision.references["windows"]}
    evaluation = decision.facts["evaluation"]
    if evaluation:
        runs = EvaluationRun.objects.filter(pk__in=[evaluation["run"], evaluation["baseline_run"] or evaluation["run"]])
        raw |= {evaluation["raw_digest"], *runs.values_list("raw_digest", flat=True)}
    return evidence | {digest for digest in raw if digest}


def _content(digest: str, *, room: int) -> bytes | str:
    """The bytes, or why they are not in the bundle. Altered content is an error: nothing wrong is handed out."""
    try:
        content = vault.get(digest)
    except vault.Missing:
        return "not kept here"
    except vault.Erased:
        return "erased"
    return content if len(content) <= room else "too large for the bundle"


def signature_rows(decision: Decision) -> list[dict[str, Any]]:
    """The decision's signatures with their statements and the passkeys' answers."""
    named = {row["sign_off"]: row for row in decision.signatures}
    rows = SignOff.objects.filter(pk__in=named).order_by("side", "signed_at")
    return [
        {**named[str(row.pk)], "statement": row.statement, "assertion": row.assertion, "signed_at": row.signed_at}
        for row in rows
    ]


def _entries(decision: Decision) -> list[Entry]:
    """The acts that the bundle proves: the decision, and each signature it counted."""
    wanted = {str(decision.pk), *(row["sign_off"] for row in decision.signatures)}
    found = list(ledger.entries(subject=decision.release.subject).filter(kind__in=KINDS))
    said = {row.pk: row.read() for row in Payload.objects.filter(pk__in=[entry.index for entry in found])}
    return [
        entry
        for entry in found
        if wanted & {said.get(entry.index, {}).get("decision"), said.get(entry.index, {}).get("sign_off")}
    ]


def _ledger(rows: Iterable[Entry], checkpoint: Checkpoint) -> dict[str, bytes]:
    files, lines = {}, []
    for row in rows:
        payload = Payload.objects.get(pk=row.index)
        lines.append(write_entry(row.leaf, _text(bytes(payload.salt)), bytes(payload.payload).decode()))
        files[f"ledger/{row.index}.tlog-proof"] = proofs.inclusion(row.index, checkpoint).text().encode()
    return files | {
        ENTRIES: b"".join(lines),
        KEYS: "".join(f"{key}\n" for key in checkpoint.keys.splitlines()).encode(),
    }


def _attestations(decision: Decision, checkpoint: Checkpoint, origin: str) -> dict[str, bytes]:
    facts = facts_from_json(decision.facts)
    about = about_release(decision.release, state_digest=decision.state_digest)
    statements = {
        "verdict": attest.verdict(
            about,
            question=facts.question,
            cleared=decision.cleared,
            decision=decision.digest,
            inputs=attest.inputs_of(facts, [(row["side"], row["statement_digest"]) for row in decision.signatures]),
            checkpoint=checkpoint.note,
            verifier_version=str(decision.gate_version),
            at=decision.decided_at,
        )
    }
    if facts.evaluation:
        statements["evaluation"] = attest.evaluation(about, facts.evaluation)
    for row in signature_rows(decision):
        statements[f"sign-off-{row['side']}-{row['sign_off']}"] = attest.sign_off(about, row)
    return {
        f"{ATTESTATIONS}{name}.dsse.json": canonical.dumps(dsse.envelope(statement, signing.signers(origin)))
        for name, statement in statements.items()
    }


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
