"""What a system's data policy and registry say about one span: denied fields, known prompts. Pure.

Denied is by name, whatever the value: `http.request.header.cookie` has no form that a pattern would find.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import Any

from audit.contract import IngestProfile
from audit.ingest.mapping import Reading
from audit.ingest.wire import BadSpan

# Denied to every system: instrumentations that capture headers send these, and nobody means to keep them.
ALWAYS_DENIED = (
    "http.request.header.authorization",
    "http.request.header.proxy-authorization",
    "http.request.header.cookie",
    "http.request.header.x-api-key",
    "http.response.header.set-cookie",
)
_NUMBER = re.compile(r"v?(\d{1,9})", re.IGNORECASE)


def denied_among(names: Iterable[str], fields: Iterable[str]) -> dict[str, str]:
    """Which of the names are denied, to every system or by these patterns of one, and by which of them."""
    patterns = (*ALWAYS_DENIED, *fields)
    return {name: _which(patterns, name) for name in names if _any_of(patterns).match(name)}


def refuse_unsafe(unsafe: Counter[str], found: Counter[str], profile: IngestProfile) -> None:
    """Where the data policy refuses instead of cleaning. What was found is named, never what it said."""
    if profile.pii_policy == "refuse" and found:
        unsafe.update({f"data {kind}": count for kind, count in found.items()})
        raise BadSpan(f"it carries what the data policy refuses: {', '.join(sorted(found))}")
    if profile.denied_policy == "refuse" and unsafe:
        raise BadSpan(f"it carries what the data policy denies: {', '.join(sorted(unsafe))}")


def prompt_flags(reading: Reading, profile: IngestProfile) -> list[str]:
    """The span's prompt compared with the registry; refused, where the policy wants that, instead of flagged."""
    flags = []
    if reading.prompt_hash_source == "mismatch":
        flags.append("prompt-hash-mismatch")
    if reading.prompt_hash and profile.prompts:
        known = profile.prompts.get(reading.prompt_hash)
        if known is None:
            flags.append("prompt-unknown")
        elif not _labels_agree(reading, known):
            flags.append("prompt-label-mismatch")
    if flags and profile.prompt_policy != "flag":
        raise BadSpan(f"its prompt is not the registered one: {', '.join(flags)}")
    if profile.prompt_policy == "require" and reading.kind == "model" and not reading.prompt_hash:
        raise BadSpan("it is a model call without a prompt hash, which the system's policy requires")
    return flags


def _labels_agree(reading: Reading, known: Sequence[Mapping[str, Any]]) -> bool:
    """One text may be registered under several names. A label that is no number (a date, a tag) says nothing here."""
    number = _NUMBER.fullmatch(reading.prompt_version)
    return any(
        (not reading.prompt_name or reading.prompt_name == prompt["name"])
        and (number is None or int(number[1]) == prompt["number"])
        for prompt in known
    )


def _which(patterns: Sequence[str], key: str) -> str:
    return next(pattern for pattern in patterns if _any_of((pattern,)).match(key))


@lru_cache(maxsize=256)
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern.lower()) for pattern in patterns), re.IGNORECASE)
