#!/usr/bin/env python3
"""Asks the gate, for pipelines: `readiness check` stops a deployment that has no clearance.

One file, the standard library only; copy it beside your pipeline, or run it from this repository. Offline it also reads
a signed summary that was saved before, for which it needs the package `cryptography`.

Exit codes, and no others:   0 go   1 no-go   2 usage   3 cannot decide (nobody answered, or not understandably)
Whatever is not 0 stops: an outage of the gate never reads as a yes, and there is no switch that makes it one.
"""

import argparse
import base64
import binascii
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

GO, NO_GO, USAGE, CANNOT_DECIDE = 0, 1, 2, 3
WORDS = {GO: "go", NO_GO: "no-go", CANNOT_DECIDE: "cannot decide"}
TIMEOUT = 30
MOST_BYTES = 4 * 1024 * 1024
VSA = "https://slsa.dev/verification_summary/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
QUESTION, EXPIRES = "urn:readiness:question", "urn:readiness:expires"


class Usage(Exception):
    """What was asked cannot be meant."""


class CannotDecide(Exception):
    """No answer, or none that can be understood."""


@dataclass
class Answer:
    code: int
    release: str
    question: str
    sentence: str
    reasons: list[dict] = field(default_factory=list)
    source: str = "gate"

    def as_json(self) -> dict:
        return {
            "answer": WORDS[self.code],
            "exit_code": self.code,
            "release": self.release,
            "question": self.question,
            "sentence": self.sentence,
            "reasons": self.reasons,
            "source": self.source,
        }


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect could lead the token away, or to a page that says 200."""

    def redirect_request(self, *_: object) -> None:
        return None


def get(address: str, token: str) -> dict:
    """The answer as a JSON object. Anything else, and whatever is not 200, is no answer."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": "readiness-check"}
    request = urllib.request.Request(address, headers=headers)  # noqa: S310  http and https only: see token_of
    opener = urllib.request.build_opener(NoRedirect)
    try:
        with opener.open(request, timeout=TIMEOUT) as response:
            if response.status != 200:
                raise CannotDecide(f"The gate answered {response.status}.")
            data = response.read(MOST_BYTES + 1)
    except urllib.error.HTTPError as error:
        with error:
            raise CannotDecide(f"The gate answered {error.code}: {said(error)}") from None
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        raise CannotDecide(f"The gate cannot be reached: {getattr(error, 'reason', error)}") from None
    try:
        body = json.loads(data) if len(data) <= MOST_BYTES else None
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise CannotDecide("The gate's answer is not a JSON object.")
    return body


def said(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read(MOST_BYTES)).get("detail", error.reason))
    except (ValueError, AttributeError, OSError):
        return str(error.reason)


def address(options: argparse.Namespace, part: str) -> str:
    reference = urllib.parse.quote(options.release, safe="")
    query = urllib.parse.urlencode({"question": options.question})
    return f"{options.server.rstrip('/')}/api/releases/{reference}/{part}?{query}"


def ask(options: argparse.Namespace, token: str) -> Answer:
    """Go only where the gate itself says `allow: true`, to this question."""
    body = get(address(options, "gate"), token)
    allow, reasons = body.get("allow"), body.get("reasons")
    if type(allow) is not bool or not isinstance(reasons, list) or body.get("question") != options.question:
        raise CannotDecide("The gate's answer is not one to this question.")
    name = f"{body.get('system')}:{body.get('label')}"
    if allow:
        sentence = f"{name} is cleared for {options.question}."
    else:
        sentence = f"{name} is not cleared for {options.question}: {len(reasons)} reasons."
    return Answer(GO if allow else NO_GO, name, options.question, sentence, reasons)


def save_summary(options: argparse.Namespace, token: str) -> None:
    """Keeps the signed answer beside its place and moves it there, so that no half of one is ever read."""
    envelope = get(address(options, "summary"), token)
    path = Path(options.save_summary)
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(envelope))
    temporary.replace(path)


def read_summary(options: argparse.Namespace, *, now: datetime) -> Answer:
    """A saved summary answers without the server: signed by a key that you gave, about this release, not expired."""
    predicate, subjects = opened(options)
    names = {row.get("name") for row in subjects}
    digests = {f"sha256:{row.get('digest', {}).get('sha256')}" for row in subjects}
    if options.release not in names | digests:
        raise CannotDecide(f"The summary is about {', '.join(sorted(map(str, names)))}, not about {options.release}.")
    if predicate.get(QUESTION) != options.question:
        raise CannotDecide(f"The summary answers the question {predicate.get(QUESTION)}, not {options.question}.")
    if options.server and predicate.get("verifier", {}).get("id") != options.server.rstrip("/"):
        raise CannotDecide(f"The summary was made by {predicate.get('verifier', {}).get('id')}.")
    try:
        verified = datetime.fromisoformat(predicate["timeVerified"])
        expires = datetime.fromisoformat(predicate[EXPIRES])
        in_time = verified <= now < expires
    except (KeyError, TypeError, ValueError):
        raise CannotDecide("The summary does not say until when it holds.") from None
    if not in_time:
        raise CannotDecide(
            f"The summary held from {verified:%Y-%m-%d %H:%M} to {expires:%H:%M} UTC. Ask the gate again."
        )
    match predicate.get("verificationResult"):
        case "PASSED":
            sentence = (
                f"{options.release} was cleared for {options.question}; the summary holds until {expires:%H:%M} UTC."
            )
            return Answer(GO, options.release, options.question, sentence, source="summary")
        case "FAILED":
            sentence = f"{options.release} was not cleared for {options.question}."
            return Answer(NO_GO, options.release, options.question, sentence, source="summary")
    raise CannotDecide("The summary says neither PASSED nor FAILED.")


def opened(options: argparse.Namespace) -> tuple[dict, list]:
    """Predicate and subjects of the DSSE envelope, once a given key has signed it."""
    if not options.key:
        raise Usage("--summary takes --key: the server's public key, from a source that you trust.")
    try:
        envelope = json.loads(Path(options.summary).read_text())
        payload = base64.b64decode(envelope["payload"], validate=True)
        signatures = [base64.b64decode(row["sig"], validate=True) for row in envelope["signatures"]]
        kind = envelope["payloadType"]
    except OSError as error:
        raise CannotDecide(f"The summary cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise CannotDecide("The summary is not a DSSE envelope.") from None
    if kind != PAYLOAD_TYPE:
        raise CannotDecide("The envelope holds no in-toto statement.")
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    if not any(verifies(public_key(key), signature, signed) for key in options.key for signature in signatures):
        raise CannotDecide("The summary is not signed by the key that you gave.")
    try:
        statement = json.loads(payload)
        if statement["predicateType"] != VSA:
            raise CannotDecide(f"The statement is {statement['predicateType']}, not a verification summary.")
        return dict(statement["predicate"]), list(statement["subject"])
    except (ValueError, KeyError, TypeError):
        raise CannotDecide("The signed statement cannot be read.") from None


def public_key(text: str) -> bytes:
    """The 32 bytes of `name+id+base64(0x01 || key)`, as /api/audit/key gives it."""
    try:
        data = base64.b64decode(text.strip().split("+", 2)[2], validate=True)
    except (IndexError, binascii.Error, ValueError):
        data = b""
    if len(data) != 33 or data[:1] != b"\x01":
        raise Usage(f"{text!r} is not a public key: copy a line of /api/audit/key.")
    return data[1:]


def verifies(key: bytes, signature: bytes, text: bytes) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise CannotDecide("Reading a summary takes the package cryptography: pip install cryptography") from None
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def decide(options: argparse.Namespace, token: str) -> Answer:
    """The answer; with --wait, a no-go or an outage is asked again until the time is over."""
    end = time.monotonic() + options.wait
    while True:
        try:
            answer = read_summary(options, now=datetime.now(UTC)) if options.summary else ask(options, token)
        except CannotDecide as error:
            answer = Answer(CANNOT_DECIDE, options.release, options.question, str(error))
        left = end - time.monotonic()
        if answer.code == GO or left <= 0:
            return answer
        print(f"{answer.sentence} Asking again, for {left:.0f} more seconds.", file=sys.stderr)
        time.sleep(min(options.every, left))


def as_table(answer: Answer) -> str:
    lines = [f"{WORDS[answer.code].upper()}  {answer.sentence}"]
    for row in answer.reasons:
        lines.append(f"  - {row.get('sentence', '')}  [{row.get('who', '')}] {row.get('url') or ''}".rstrip())
    return "\n".join(lines)


def as_junit(answer: Answer) -> str:
    """One test case for each reason, so that a pipeline's own page lists them."""
    problem = "error" if answer.code == CANNOT_DECIDE else "failure"
    cases = [(str(row.get("code", "reason")), str(row.get("sentence", ""))) for row in answer.reasons]
    if answer.code != GO and not cases:
        cases = [("gate", answer.sentence)]
    body = "".join(
        f'<testcase classname="readiness" name={quoteattr(code)}><{problem} message={quoteattr(sentence)}>'
        f"{escape(sentence)}</{problem}></testcase>"
        for code, sentence in cases
    )
    if answer.code == GO:
        body = '<testcase classname="readiness" name="cleared"/>'
    counts = f'tests="{max(1, len(cases))}" {problem}s="{len(cases)}"'
    name = quoteattr(f"{answer.release} {answer.question}")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name={name} {counts}>{body}</testsuite>'


def as_github(answer: Answer) -> str:
    """Workflow commands: GitHub shows them as annotations. A sentence must not be able to end its own line."""

    def clean(text: str) -> str:
        return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    if answer.code == GO:
        return f"::notice title=Readiness::{clean(answer.sentence)}"
    rows = answer.reasons or [{"sentence": answer.sentence}]
    lines = [f"::error title=Readiness {WORDS[answer.code]}::{clean(str(row.get('sentence', '')))}" for row in rows]
    return "\n".join(lines)


OUTPUTS = {
    "json": lambda answer: json.dumps(answer.as_json(), indent=2),
    "table": as_table,
    "junit": as_junit,
    "github": as_github,
}


def arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="readiness", description="Asks the gate of Readiness.")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser(
        "check", help="may this release go?", epilog="Exit codes: 0 go, 1 no-go, 2 usage, 3 cannot decide."
    )
    check.add_argument("release", help="an id, system:label, or the digest of an image (sha256:...)")
    check.add_argument("--question", choices=["canary", "release"], default="release")
    check.add_argument("--server", default=os.environ.get("READINESS_URL", ""), help="default: READINESS_URL")
    check.add_argument("--token-file", help="a file with the token; default: the variable READINESS_TOKEN")
    check.add_argument("--output", choices=sorted(OUTPUTS), default="table")
    check.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="ask again until it is a go")
    check.add_argument("--every", type=float, default=15, metavar="SECONDS", help="pause between two questions")
    check.add_argument("--save-summary", metavar="FILE", help="on go, keep the signed summary for deploy tools")
    check.add_argument("--summary", metavar="FILE", help="decide by a saved summary, without the server")
    check.add_argument("--key", action="append", default=[], help="the server's public key, for --summary")
    return parser.parse_args(given)


def token_of(options: argparse.Namespace) -> str:
    if options.summary:
        return ""
    if not options.server.startswith(("http://", "https://")):
        raise Usage("Name the server: --server https://readiness.example, or READINESS_URL.")
    try:
        file = options.token_file
        token = (Path(file).read_text() if file else os.environ.get("READINESS_TOKEN", "")).strip()
    except OSError as error:
        raise Usage(f"The token file cannot be read: {error.strerror}.") from None
    if not token:
        raise Usage("Give a token with the scope gate:read: READINESS_TOKEN, or --token-file.")
    return token


def main(given: list[str] | None = None) -> int:
    options = arguments(given)
    if not options.release.strip() or options.wait < 0 or options.every <= 0:
        print("Name a release; --wait and --every are not negative.", file=sys.stderr)
        return USAGE
    try:
        token = token_of(options)
        answer = decide(options, token)
        if answer.code == GO and options.save_summary:
            save_summary(options, token)
    except Usage as error:
        print(error, file=sys.stderr)
        return USAGE
    except CannotDecide as error:
        answer = Answer(CANNOT_DECIDE, options.release, options.question, f"The summary was not saved. {error}")
    print(OUTPUTS[options.output](answer))
    return answer.code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(CANNOT_DECIDE)
    except Exception as error:  # whatever went wrong here, it is no yes and no no
        print(f"cannot decide: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(CANNOT_DECIDE)
