from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from audit.usage import provider_calls


@dataclass
class Node:
    span_id: str
    parent_id: str = ""
    kind: str = "model"
    tokens_in: int | None = None
    tokens_out: int | None = None
    failed: bool = False
    timed_out: bool = False
    scope: str = "lib"
    at_ms: int = 0
    ms: int = 100
    model_requested: str = ""
    model_answered: str = ""
    response_id: str = ""

    @property
    def started_at(self):
        return datetime(2026, 11, 24, tzinfo=UTC) + timedelta(milliseconds=self.at_ms)

    @property
    def duration_us(self):
        return self.ms * 1000


def counts(*spans):
    found = provider_calls(spans)
    return sorted(found.counted), sorted(found.unknown), sorted(found.failed)


def test_a_parent_that_repeats_its_childs_tokens_is_not_counted():
    """Vercel AI SDK: ai.generateText around ai.generateText.doGenerate, both with usage."""
    outer, inner = Node("a", tokens_in=10, tokens_out=5), Node("b", "a", tokens_in=10, tokens_out=5)
    assert counts(outer, inner) == (["b"], [], [])


def test_a_parent_with_several_steps_counts_each_step_once():
    outer = Node("a", tokens_in=30)
    assert counts(outer, Node("b", "a", tokens_in=10), Node("c", "a", tokens_in=20)) == (["b", "c"], [], [])


def test_three_model_spans_around_one_call():
    """LlamaIndex: only the innermost has tokens; the others are neither calls nor gaps."""
    assert counts(Node("a"), Node("b", "a"), Node("c", "b", tokens_in=7)) == (["c"], [], [])


def test_spans_in_between_do_not_hide_the_nesting():
    chain = Node("b", "a", kind="chain")
    assert counts(Node("a", tokens_in=1), chain, Node("c", "b", tokens_in=1)) == (["c"], [], [])


def test_usage_on_the_outer_span_speaks_for_a_silent_inner_one():
    assert counts(Node("a", tokens_in=9), Node("b", "a")) == (["a"], [], [])


def test_a_call_without_usage_is_unknown():
    """A stream: the library left the counts out."""
    assert counts(Node("a", kind="request"), Node("b", "a")) == ([], ["b"], [])


def test_a_silent_call_beside_a_counted_one_is_unknown_although_their_parent_has_a_sum():
    outer = Node("a", kind="agent", tokens_in=5)
    assert counts(outer, Node("b", "a", tokens_in=5), Node("c", "a")) == (["b"], ["c"], [])


def test_a_failed_call_used_nothing_unless_it_timed_out():
    assert counts(Node("a", failed=True)) == ([], [], ["a"])
    assert counts(Node("a", failed=True, timed_out=True)) == ([], ["a"], [])


def test_agents_and_chains_are_never_calls():
    assert counts(Node("a", kind="agent", tokens_in=5), Node("b", kind="chain", tokens_in=5)) == ([], [], [])


def test_zero_tokens_are_usage():
    assert counts(Node("a", tokens_in=0)) == (["a"], [], [])


def test_order_does_not_matter():
    spans = [Node("a"), Node("b", "a", tokens_in=1), Node("c", "b", tokens_in=1), Node("d", "a")]
    assert {str(counts(*order)) for order in permutations(spans)} == {str((["c"], ["d"], []))}


@pytest.mark.parametrize("usage", [None, 3])
def test_ids_that_loop_end_and_hide_nothing(usage):
    first, second = Node("a", "b", tokens_in=usage), Node("b", "a", tokens_in=usage)
    found = provider_calls([first, second])
    assert found.counted | found.unknown
    assert provider_calls([Node("a", "a", tokens_in=1)]).counted | provider_calls([Node("a", "a")]).unknown


CHAIN = Node("a", scope="chain library", model_requested="gpt-4.1", tokens_in=10, tokens_out=5, ms=100)
CLIENT = Node("b", scope="client", model_answered="gpt-4.1-2025", tokens_in=10, tokens_out=5, at_ms=10, ms=80)


def test_two_instrumentations_side_by_side_are_one_call():
    found = provider_calls([CHAIN, CLIENT])
    assert (found.counted, found.twice) == ({"b"}, {"a"})


def test_whichever_of_the_two_has_usage_speaks():
    silent = replace(CHAIN, tokens_in=None, tokens_out=None)
    assert counts(silent, CLIENT) == (["b"], [], [])
    assert counts(CHAIN, replace(CLIENT, tokens_in=None, tokens_out=None)) == (["a"], [], [])


def test_both_without_usage_are_one_unknown_call_and_both_failed_one_failed_call():
    nothing = {"tokens_in": None, "tokens_out": None}
    assert counts(replace(CHAIN, **nothing), replace(CLIENT, **nothing)) == ([], ["b"], [])
    assert counts(replace(CHAIN, **nothing, failed=True), replace(CLIENT, **nothing, failed=True)) == ([], [], ["b"])


@pytest.mark.parametrize(
    "other",
    [
        {"scope": "chain library"},  # one instrumentation does not report a call twice
        {"model_answered": "o3"},
        {"tokens_in": 11},
        {"at_ms": 200},
        {"at_ms": 50},  # began during the other, ended long after it
        {"kind": "embedding"},
        {"failed": True},
    ],
    ids=str,
)
def test_calls_that_differ_in_anything_are_two(other):
    assert counts(CHAIN, replace(CLIENT, **other)) == (["a", "b"], [], [])


def test_the_providers_id_tells_calls_apart_and_together():
    assert counts(replace(CHAIN, response_id="r1"), replace(CLIENT, response_id="r2")) == (["a", "b"], [], [])
    longer = replace(CLIENT, response_id="r1", ms=300)
    assert counts(replace(CHAIN, response_id="r1"), longer) == (["a"], [], [])


def test_a_span_stands_for_one_of_each_other_scope_only():
    """Two equal calls at the same time, both reported twice: two calls."""
    again = [replace(CHAIN, span_id="c"), replace(CLIENT, span_id="d")]
    found = provider_calls([CHAIN, CLIENT, *again])
    assert (len(found.counted), len(found.twice)) == (2, 2)


def test_a_stream_told_in_two_spans_is_one_call():
    """logfire: the call without usage, and a point in time with it, beside the call, when the stream has ended."""
    calls = [Node("a", "root", ms=10), Node("c", "root", at_ms=200, ms=10)]
    ends = [Node("b", "root", at_ms=150, ms=0, tokens_in=7), Node("d", "root", at_ms=300, ms=0)]
    found = provider_calls(calls + ends)
    assert (found.counted, found.unknown, found.twice) == ({"b"}, {"d"}, frozenset())
