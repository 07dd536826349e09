"""Bars of single metrics, as they are typed."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems.metric_bars import MetricBar, canonical_cases, canonical_metrics, parse_metrics
from systems.policy import PolicyError, ReleaseBars


def test_a_line_is_a_metric_with_its_bars() -> None:
    found = parse_metrics("correct\n\n grounded delta=-0.010 least=0.8 weight=2\ntoxicity down delta=0 most=0.05\r\n")
    assert found == (
        MetricBar("correct"),
        MetricBar("grounded", delta=Decimal("-0.01"), least=Decimal("0.8"), weight=Decimal(2)),
        MetricBar("toxicity", down=True, delta=Decimal(0), most=Decimal("0.05")),
    )
    assert canonical_metrics("a\n b  delta=0.10 ") == "a\nb delta=0.1"
    assert parse_metrics("") == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("correct delta=0.1", "comes first"),
        ("toxicity down most=0.1", "the first metric is the one that must improve"),
        ("a\nb\nb", "b is named twice"),
        ("a\nb delta=NaN", "not a number to compare"),
        ("a\nb delta=one", "'one' of b is not a number"),
        ("a\nb delta", "is not up, down, delta="),
        ("a\nb delta=1 delta=2", "is not up, down, delta="),
        ("a\nb down", "write how much is tolerated"),
        ("a\nb most=0.1", "write least=, or down"),
        ("a\noverall delta=0.1", "none has one"),
        ("a weight=1\noverall", "overall has a delta="),
        ("a\nb weight=0", "above zero"),
        ("a b", "is not up, down"),
        ("<b>", "is not the name of a metric"),
        ("\n".join(f"m{n}" for n in range(21)), "at most 20"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, reason: str) -> None:
    with pytest.raises(PolicyError) as refused:
        ReleaseBars.parse({"eval_metrics": text})
    assert reason in refused.value.reasons[0]


@given(st.text(max_size=60))
def test_whatever_is_typed_is_read_or_refused_with_a_sentence(text: str) -> None:
    def read(given: str) -> str:
        try:
            return canonical_metrics(given)
        except ValueError as error:
            return str(error)

    written = read(text)
    assert written == read(written) or written.endswith(".")


def test_asking_for_less_than_before_is_weaker() -> None:
    asked = ReleaseBars.parse({"eval_metrics": "a\nb delta=0", "eval_must_pass": "harm-*, tag:harmful"})
    less = ReleaseBars.parse({"eval_metrics": "a", "eval_must_pass": "harm-*"})
    assert less.weaker_than(asked) == ("eval_metrics", "eval_must_pass")
    assert asked.weaker_than(less) == ()
    assert ReleaseBars.parse({"eval_correction": "none"}).weaker_than(ReleaseBars()) == ("eval_correction",)


def test_patterns_of_cases_are_separated_by_commas_or_lines() -> None:
    assert canonical_cases("harm-*,\ntag:harmful, harm-*") == "harm-*, tag:harmful"
    with pytest.raises(ValueError, match="at most 100"):
        canonical_cases(",".join(str(n) for n in range(101)))
