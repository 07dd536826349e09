"""Prompts compared with the registry."""

import pytest

from audit.contract import IngestProfile
from audit.ingest import policy
from audit.ingest.mapping import read_span
from audit.ingest.wire import BadSpan
from tests.audit.ingest.test_mapping import wire

HASH, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
REGISTERED = {HASH: [{"name": "answer", "number": 3}, {"name": "greeting", "number": 1}]}


def reading(**said):
    named = {"gen_ai.operation.name": "chat"} | {key.replace("__", "."): value for key, value in said.items()}
    return read_span(wire(named))


@pytest.mark.parametrize(
    ("said", "flags"),
    [
        ({"readiness__prompt__hash": HASH}, []),
        ({"readiness__prompt__hash": HASH, "gen_ai__prompt__name": "answer", "gen_ai__prompt__version": "v3"}, []),
        ({"readiness__prompt__hash": HASH, "gen_ai__prompt__name": "greeting", "gen_ai__prompt__version": "1"}, []),
        ({"readiness__prompt__hash": HASH, "gen_ai__prompt__version": "2026-11-01"}, []),
        ({"readiness__prompt__hash": HASH, "gen_ai__prompt__name": "answer", "gen_ai__prompt__version": "1"},
         ["prompt-label-mismatch"]),
        ({"readiness__prompt__hash": HASH, "gen_ai__prompt__name": "other"}, ["prompt-label-mismatch"]),
        ({"readiness__prompt__hash": OTHER}, ["prompt-unknown"]),
        ({"readiness__prompt__hash": HASH, "readiness__prompt__template": "Another text"},
         ["prompt-hash-mismatch", "prompt-unknown"]),
        ({}, []),
    ],
    ids=str,
)  # fmt: skip
def test_a_prompt_is_compared_by_hash_and_by_label(said, flags):
    assert policy.prompt_flags(reading(**said), IngestProfile(prompts=REGISTERED)) == flags
    for refusing in ("refuse", "require"):
        profile = IngestProfile(prompts=REGISTERED, prompt_policy=refusing)
        if flags:
            with pytest.raises(BadSpan, match=flags[0]):
                policy.prompt_flags(reading(**said), profile)
        elif said or refusing == "refuse":
            assert policy.prompt_flags(reading(**said), profile) == []
        else:
            with pytest.raises(BadSpan, match="without a prompt hash"):
                policy.prompt_flags(reading(), profile)


def test_a_system_without_registered_prompts_knows_none():
    assert policy.prompt_flags(reading(readiness__prompt__hash=OTHER), IngestProfile()) == []
