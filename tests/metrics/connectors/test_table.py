"""Tables, with the names that columns usually have, and with names of one's own."""

import csv
import io
import json
from fractions import Fraction
from typing import Any

import pytest

from metrics.connectors import table
from metrics.problems import Invalid, Unreadable
from tests.metrics.samples import BETTER, DATASET_HASH, IDENTITY

ROWS: list[dict[str, Any]] = [
    {"case_id": "a", "score.correct": "1", "score.grounded": "0.25", "output": "Yes, 30 days.", "tags": "plain,edge"},
    {"case_id": "b", "score.correct": "true", "score.grounded": "", "output": 'He said "no", twice\nand left.'},
    {"case_id": "c", "score.correct": "NaN", "score.grounded": "1", "error": "the model is away"},
]
ABOUT = {**IDENTITY[BETTER], "finished_at": "2026-11-24T10:00:00+00:00", "tool_version": "judge 2.1"}


def as_csv(rows: list[dict[str, Any]] = ROWS) -> bytes:
    text = io.StringIO()
    names = ["case_id", "score.correct", "score.grounded", "output", "tags", "error", *ABOUT]
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows({**row, **ABOUT} for row in rows)
    return ("\ufeff" + text.getvalue() + "\r\n").encode()


def as_lines(rows: list[dict[str, Any]] = ROWS) -> bytes:
    return "\n".join(json.dumps({**row, **ABOUT}) for row in rows).encode()


@pytest.mark.parametrize("raw", [as_csv(), as_lines()], ids=["csv", "jsonl"])
def test_a_table_is_read_with_the_usual_names(raw: bytes) -> None:
    answer = table.parse(raw, {"location": "x"})
    assert (answer.metric, answer.tool_version) == ("correct", "judge 2.1")
    assert (answer.claims.release, answer.claims.dataset_hash) == (BETTER, DATASET_HASH)
    assert set(answer.claims.pins) == {"model", "prompt_hash"}
    assert [case.scores["correct"] for case in answer.cases] == [Fraction(1), Fraction(1), None]
    assert [case.scores["grounded"] for case in answer.cases] == [Fraction(1, 4), None, None]
    assert answer.cases[0].tags == ("plain", "edge")
    assert answer.cases[1].output == 'He said "no", twice\nand left.'
    assert answer.finished_at is not None


def test_columns_of_ones_own_are_named_by_the_mapping() -> None:
    end = "r1,sha256:d,2026-11-24T10:00:00Z"
    raw = f"id,grade,fehler,version,ds,end\n1,0.5,,{end}\n2,0.75,kaputt,{end}\n".encode()
    config = {
        "location": "x", "case_id": "id", "scores": {"quality": "grade"}, "error": "fehler", "release": "version",
        "dataset_hash": "ds", "finished_at": "end",
    }  # fmt: skip
    answer = table.parse(raw, config)
    assert [(case.case_id, case.scores["quality"], case.error) for case in answer.cases] == [
        ("1", Fraction(1, 2), ""),
        ("2", None, "kaputt"),
    ]
    assert (answer.claims.release, answer.metric) == ("r1", "quality")


def test_repeats_are_averaged_where_a_column_tells_them_apart() -> None:
    raw = b"case_id,score,run\na,1,1\na,0,2\n"
    (case,) = table.parse(raw, {"repeat": "run"}).cases
    assert (case.repeats, case.scores["score"]) == (2, Fraction(1, 2))
    with pytest.raises(Unreadable, match="a twice"):
        table.parse(raw, {})


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "no rows"),
        (b"case_id,score\n", "no rows"),
        (b"case_id,grade\na,1\n", "no scores"),
        (b"name,score\na,1\n", "no usable case id in row 1"),
        (b"case_id,score\na,1\nb\n", "Row 3 of the table has 1 cells, and the heading 2"),
        (b'case_id,score\na,"1\n', "not whole CSV"),
        (b"case_id,score,score\na,1,1\n", "a column twice"),
        (b"case_id,score,readiness.release\na,1,r1\nb,1,r2\n", "not every row has the same readiness.release"),
        ("case_id,score\nä,1\n".encode("latin-1"), "not text in UTF-8"),
        (b'{"case_id": "a", "score": 1}\n[1]', "Line 2 of the table is not an object"),
        (b'{"case_id": "a", "score": 1}\n{"case_id"', "Line 2 of the table is not whole JSON"),
    ],
)
def test_bad_tables_are_refused_with_the_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        table.parse(raw, {})


def test_a_mapping_with_a_typing_error_is_refused() -> None:
    with pytest.raises(Invalid, match="A mapping has no caseid"):
        table.parse(as_csv(), {"caseid": "id"})
