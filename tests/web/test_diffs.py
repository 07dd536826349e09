from hypothesis import given
from hypothesis import strategies as st

from web.diffs import diff

texts = st.lists(st.sampled_from(["alpha", "beta", "gamma delta", "", "epsilon zeta eta"]), max_size=12).map("\n".join)


def text_of(line):
    return "".join(piece.text for piece in line.pieces)


def test_changed_words_are_marked_within_their_line():
    row = next(row for row in diff("keep it under 120 words", "keep it under 90 words").rows if row.kind == "change")
    assert [piece.text for piece in row.old.pieces if piece.changed] == ["120"]
    assert [piece.text for piece in row.new.pieces if piece.changed] == ["90"]


def test_lines_with_nothing_in_common_are_not_sprinkled_with_marks():
    row = diff("abc def", "uvw xyz").rows[0]
    assert not any(piece.changed for piece in row.old.pieces)


def test_same_text_has_no_rows():
    assert diff("a\nb", "a\nb").rows == ()


def test_far_lines_are_folded_with_their_number():
    old = "\n".join(str(number) for number in range(40))
    found = diff(old, old.replace("20", "twenty"))
    assert [row.skipped for row in found.rows if row.kind == "skip"] == [17, 16]
    assert (found.added, found.removed) == (1, 1)


def test_in_the_unified_list_removed_lines_stand_before_added_ones():
    found = diff("one\ntwo\nsame", "uno\ndue\nsame")
    assert [kind for kind, _, _ in found.unified] == ["remove", "remove", "add", "add", "same"]


@given(texts, texts)
def test_both_texts_can_be_read_back_from_the_rows(old, new):
    found = diff(old, new)
    before, after = old.splitlines(), new.splitlines()
    for row in found.rows:
        if row.old:
            assert before[row.old.number - 1] == text_of(row.old)
        if row.new:
            assert after[row.new.number - 1] == text_of(row.new)
    assert len(before) - found.removed == len(after) - found.added
    if before != after:
        assert found.added + found.removed > 0
