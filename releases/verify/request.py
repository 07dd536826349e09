"""python -m releases.verify.request export.zip REQUEST_ID [--key PUBLIC_KEY]

From a request to the people who let its release answer, from an export alone: no Django, no database, no network. The
export is taken from the page "Reproduce a decision"; it holds the request with its proofs, the bundle of the decision
under which its release served, and the prompts and models that the release pins.

Numbered steps; the first that fails ends it. Exit code 0: every step holds, 1: one does not, 2: usage. Give one --key
for each of the two logs: without, the export is compared with its own keys.
"""

import argparse
import hashlib
import io
import sys
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from audit import requestproof
from audit.approval import model_names
from audit.archive import ArchiveError, member
from audit.bundle import BundleError, open_bundle
from audit.canonical import CanonicalError, loads
from audit.checkpoint import NoteError, VerifierKey
from audit.requestproof import RequestProofError
from audit.summary import RequestSummary, summarise
from releases.verify import steps as of_bundle

REQUEST, BUNDLE = "request.proof.json", "bundle.zip"
# Where the contents of pinned versions are, by kind; each file is named by its digest.
FOLDERS = {"prompt": "prompts", "model": "models"}


class NotReproduced(ValueError):
    """A step does not hold."""


def steps(archive: zipfile.ZipFile, request_id: str, *, keys: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """Each step as (what was checked, what was found), from the request to the record."""
    pinned = [VerifierKey.parse(key) for key in keys]
    data = _read(archive, REQUEST)
    for what, found in requestproof.steps(data, pinned=pinned):
        yield f"Request. {what}", found
    spans = _spans(data)
    request = _summary(spans)
    yield "Request. It is the one that you asked for", _asked(spans, data, request_id)
    bundle = open_bundle(io.BytesIO(_read(archive, BUNDLE)), keys=keys)
    for what, found in of_bundle.steps(bundle):
        yield f"Decision. {what}", found
    decided = of_bundle.read(bundle)
    yield "The release that answered is the one that was decided on", _release(spans, decided)
    yield "The decision stood when the request was answered", _in_force(spans, decided)
    yield "The prompt that was sent is one that the release pins", _prompt(archive, request, decided)
    yield "The model that was called is one that the release pins", _model(archive, request, decided)
    yield "The contract", _contract(request)
    yield "The evaluation that the decision rests on", _evaluation(decided)


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return member(archive, name)
    except ArchiveError as error:
        raise NotReproduced(str(error)) from None


def _spans(data: bytes) -> list[dict[str, Any]]:
    """The leaves as they were hashed: nothing beside them in the document was proved."""
    document: Any = loads(data)
    leaves: list[Any] = [loads(span["leaf"].encode()) for span in document["spans"]]
    return leaves


def _summary(spans: list[dict[str, Any]]) -> RequestSummary:
    """What the product makes of these spans, made again."""
    times = (datetime.fromisoformat(str(span["started_at"])) for span in spans)
    return summarise(SimpleNamespace(**{**span, "started_at": at}) for span, at in zip(spans, times, strict=True))


def _asked(spans: list[dict[str, Any]], data: bytes, request_id: str) -> str:
    names = {str(span[name]) for span in spans for name in ("request_id", "trace_id")}
    if request_id.replace("-", "") not in {name.replace("-", "") for name in names} or not request_id:
        raise NotReproduced(f"the export is about {', '.join(sorted(filter(None, names)))}, not about {request_id}")
    began = min(str(span["started_at"]) for span in spans)
    return f"{request_id}, {len(spans)} spans, begun {began}"


def _release(spans: list[dict[str, Any]], decided: of_bundle.Release) -> str:
    named = {(span["system"], span["release"]) for span in spans if span["release"]}
    facts = decided.facts
    if named != {(facts.system, facts.label)}:
        said = ", ".join(f"{system}:{label}" for system, label in sorted(named)) or "no release"
        raise NotReproduced(f"the request names {said}; the decision is about {facts.system}:{facts.label}")
    return f"{facts.system}:{facts.label}"


def _in_force(spans: list[dict[str, Any]], decided: of_bundle.Release) -> str:
    decision = decided.decision
    if decision["occasion"] not in ("started", "promoted") or decision["cleared"] is not True:
        raise NotReproduced(f"the decision did not let the release serve: {decision['occasion']}")
    at, began = decision["decided_at"], min(str(span["started_at"]) for span in spans)
    if datetime.fromisoformat(at) > datetime.fromisoformat(began):
        raise NotReproduced(f"it was decided at {at}, after the request began at {began}")
    return f"{decision['occasion']} {at}, before {began}"


def _prompt(archive: zipfile.ZipFile, request: RequestSummary, decided: of_bundle.Release) -> str:
    """The text in the export is hashed again; its hash is the one that the spans carry and the decision pins."""
    pinned = _pinned(decided, "prompt")
    sent = request.prompt_hashes
    if not sent:
        return "the request carries no prompt hash, so nothing can be said"
    if not sent <= pinned:
        raise NotReproduced(f"the request carries {', '.join(sorted(sent - pinned))}, which the release does not pin")
    for digest in sent:
        _content(archive, "prompt", digest)
    return f"{', '.join(sorted(sent))}, and the text has it"


def _model(archive: zipfile.ZipFile, request: RequestSummary, decided: of_bundle.Release) -> str:
    """The names stand in the pinned versions, whose contents are hashed again."""
    pinned = _pinned(decided, "model")
    called = set(request.models_seen)
    if not called:
        return "the request names no model, so nothing can be said"
    names: set[str] = set()
    for digest in pinned:
        deployment: Any = loads(_content(archive, "model", digest))
        names.update(model_names(deployment))
    if not called <= names:
        raise NotReproduced(f"the request called {', '.join(sorted(called - names))}, which the release does not pin")
    return ", ".join(sorted(called))


def _pinned(decided: of_bundle.Release, kind: str) -> set[str]:
    return {pin.sha256 for pin in decided.facts.pins if pin.kind == kind and pin.sha256}


def file_of(kind: str, digest: str) -> str:
    return f"{FOLDERS[kind]}/{digest.partition(':')[2]}"


def _content(archive: zipfile.ZipFile, kind: str, digest: str) -> bytes:
    content = _read(archive, file_of(kind, digest))
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise NotReproduced(f"the {kind} in the export does not have the hash {digest}")
    return content


def _contract(request: RequestSummary) -> str:
    if request.input_ok is None and request.output_ok is None:
        return "the request says nothing about its schema"
    if request.input_ok is False or request.output_ok is False:
        raise NotReproduced(f"the {'output' if request.output_ok is False else 'input'} does not fit the schema")
    return "the output fits the schema" if request.output_ok else "the input fits the schema"


def _evaluation(decided: of_bundle.Release) -> str:
    run = decided.facts.evaluation
    if run is None or run.outcome != "pass":
        raise NotReproduced("the decision rests on no evaluation that passed")
    return f"{run.tool} {run.tool_version}: {run.metric} {run.score} on {run.cases} cases"


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m releases.verify.request", description="Reproduce from an export.")
    parser.add_argument("export", type=Path)
    parser.add_argument("request_id")
    parser.add_argument("--key", action="append", default=[], help="a public key that you trust; one for each log")
    options = parser.parse_args(given)
    number = 0
    try:
        with zipfile.ZipFile(options.export) as archive:
            for number, (what, found) in enumerate(steps(archive, options.request_id, keys=options.key), start=1):
                print(f"{number}. ok   {what}: {found}")
    except (NotReproduced, BundleError, RequestProofError, CanonicalError, zipfile.BadZipFile) as error:
        print(f"{number + 1}. FAIL {error}")
        print("NOT reproduced.")
        return 1
    except (OSError, NoteError) as error:
        print(f"Cannot begin: {error}", file=sys.stderr)
        return 2
    print("Reproduced.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
