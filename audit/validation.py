"""Checking an input or an output against a system's contract on request: before it is sent, in a test, in a pipeline.

The same contract as at ingest, but with every violation named. Each check is recorded: who asked, what came of it, and
a commitment to the payload, never the payload.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit import canonical
from audit.actors import Actor
from audit.contract import IngestProfile, is_canonical, validator
from audit.models import ContractCheck
from audit.profiles import profile_of
from audit.redaction import redact
from web.problems import Invalid

_TAG = b"readiness/contract-check/v1\n"
MAX_VIOLATIONS = 200
LISTED = 20


@dataclass(frozen=True, slots=True)
class Violation:
    side: str  # input or output
    rule: str  # schema, or the limit that was passed
    path: str  # JSON pointer into the payload
    message: str

    def __str__(self) -> str:
        return f"{self.side} {self.path or '/'}: {self.rule}"


def validate(
    *, system: str, payload: Mapping[str, Any], by: Actor, now: datetime
) -> tuple[ContractCheck, list[Violation]]:
    """`payload`: `input` and `output` as JSON values (an output may be text, as a model writes it), and what is known
    of the call: `context_chars`, `tokens_out`, `duration_ms`, `retries`."""
    if not {"input", "output"} & set(payload):
        raise Invalid("Send an `input`, an `output`, or both.")
    numbered = profile_of(system)
    found = list(_violations(numbered.profile, payload))[:MAX_VIOLATIONS]
    salt = os.urandom(32)
    try:
        digest = hashlib.sha256(_TAG + salt + canonical.dumps(payload)).hexdigest()
    except canonical.CanonicalError as error:
        raise Invalid(f"The payload cannot be recorded: {error}.") from None
    check = ContractCheck.objects.create(
        system=system,
        at=now,
        asked_by=by.actor_id,
        profile=numbered.number,
        valid=not found,
        violations=[str(violation) for violation in found],
        commitment=f"sha256:{digest}",
        salt=salt,
    )
    return check, found


def latest(system: str) -> list[ContractCheck]:
    return list(ContractCheck.objects.filter(system=system).order_by("-id")[:LISTED])


def _violations(profile: IngestProfile, payload: Mapping[str, Any]) -> Iterator[Violation]:
    if "input" in payload:
        yield from _against("input", profile.input_schema, payload["input"])
    if "output" in payload:
        output = payload["output"]
        if isinstance(output, str):
            if not is_canonical(profile.canonical_outputs, output):
                forms = " or ".join(profile.canonical_outputs)
                yield Violation("output", "canonical form", "", f"The text is not in the form {forms}.")
            if profile.output_schema is not None:
                try:
                    output = canonical.loads(output)
                except canonical.CanonicalError as error:
                    yield Violation("output", "schema", "", f"The text is not JSON: {error}.")
                    return
        yield from _against("output", profile.output_schema, output)
    limits = {
        "context_chars": ("input", profile.max_context_chars),
        "tokens_out": ("output", profile.max_output_tokens),
        "duration_ms": ("output", profile.timeout_ms),
        "retries": ("output", profile.retry_limit),
    }
    for name, (side, limit) in limits.items():
        value = payload.get(name)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            raise Invalid(f"`{name}` is a whole number.")
        if limit is not None and value > limit:
            yield Violation(side, name, "", f"{name} is {value}; the contract allows {limit}.")


def _against(side: str, schema: Mapping[str, Any] | None, value: Any) -> Iterator[Violation]:
    if schema is None:
        return
    for error in validator(schema).iter_errors(value):
        path = "".join(f"/{part}" for part in error.absolute_path)
        yield Violation(side, f"schema {error.validator}", redact(path)[:200], redact(error.message)[:500])
