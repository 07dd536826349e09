from datetime import timedelta
from typing import Any

import pytest

from metrics.answers import Claims
from metrics.identity import refusals
from metrics.problems import Unreadable
from tests.metrics.scene import NOW

HASH, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
CLAIMS = Claims("2026.11.2", HASH, {"prompt_hash": HASH, "model": "small"})


def ask(claims: Claims = CLAIMS, **changes: Any) -> list[str]:
    asked: dict[str, Any] = {
        "release_label": "2026.11.2",
        "dataset_hash": HASH,
        "pins": {"prompt_hash": [HASH], "model": ["small", "small-2026-09"]},
        "finished_at": NOW - timedelta(hours=1),
        "now": NOW,
    }
    return refusals(claims, **{**asked, **changes})


def test_what_was_asked_for_is_taken() -> None:
    assert ask() == []
    assert ask(pins={}, dataset_hash="") == []


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        (Claims("2026.10.4", HASH, CLAIMS.pins), "is about release 2026.10.4, not about release 2026.11.2"),
        (Claims("", HASH, CLAIMS.pins), "is about no release that it names"),
        (
            Claims("2026.11.2", OTHER, CLAIMS.pins),
            f"made with dataset {OTHER[:19]}…, and the release pins {HASH[:19]}…",
        ),
        (Claims("2026.11.2", "", CLAIMS.pins), "made with no dataset that it names"),
        (Claims("2026.11.2", HASH, {"prompt_hash": OTHER, "model": "small"}), f"made with prompt hash {OTHER[:19]}…"),
        (Claims("2026.11.2", HASH, {"model": "small"}), "made with no prompt hash that it names"),
        (
            Claims("2026.11.2", HASH, {"prompt_hash": HASH, "model": "large"}),
            "model large, and the release pins small or small-2026-09",
        ),
    ],
)
def test_anything_else_is_refused_with_the_reason(claims: Claims, reason: str) -> None:
    (found,) = ask(claims)
    assert reason in found


def test_times_that_cannot_be_are_refused() -> None:
    assert ask(finished_at=None) == ["The file does not say when the run ended."]
    assert "in the future" in ask(finished_at=NOW + timedelta(minutes=6))[0]
    assert ask(finished_at=NOW + timedelta(minutes=4)) == []


def test_a_run_that_is_no_longer_fresh_is_refused_with_its_day() -> None:
    old = NOW - timedelta(days=31)
    assert ask(finished_at=old) == []
    assert ask(finished_at=old, fresh_days=31) == []
    (reason,) = ask(finished_at=old, fresh_days=30)
    assert reason == f"The run ended on {old:%Y-%m-%d}; this source's runs are fresh for 30 days."


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert len(ask(Claims(), finished_at=None)) == 5


def test_claims_are_read_flat_or_nested_and_must_agree() -> None:
    from metrics.answers import claims

    flat = {"readiness.release": "1", "readiness.prompt_hash": HASH, "other": 3}
    nested = {"readiness": {"release": "1", "dataset_hash": OTHER}}
    assert claims(flat, None, nested, model="tiny") == Claims("1", OTHER, {"model": "tiny", "prompt_hash": HASH})
    with pytest.raises(Unreadable, match="contradicts itself: readiness.release is 1 and 2"):
        claims(flat, {"readiness.release": "2"})
    with pytest.raises(Unreadable, match="is not a short text"):
        claims({"readiness.release": 7})
