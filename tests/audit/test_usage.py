from dataclasses import dataclass
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
