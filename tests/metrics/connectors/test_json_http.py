"""JSON of any tool, by JMESPath: from a server on this machine, through the product's own way out."""

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from metrics.connecting import read_file, try_connection
from metrics.connectors import json_http
from metrics.models import Source
from metrics.problems import Invalid, Unreadable
from tests.metrics import hostile
from tests.metrics.samples import BETTER, DATASET_HASH
from tests.metrics.scene import NOW

DOCUMENT: dict[str, Any] = {
    "meta": {"version": BETTER, "set": {"sha": DATASET_HASH}, "ended": "2026-11-24T10:00:00Z", "judge": "lab 4"},
    "summary": {"n": 2},
    "data": {
        "items": [
            {"key": {"id": "a"}, "grades": [{"name": "correct", "value": 0.1}], "labels": ["harmful"]},
            {"key": {"id": "b"}, "grades": [{"name": "correct", "value": None}], "said": "Hm."},
        ]
    },
}
CONFIG = {
    "rows": "data.items",
    "case_id": "key.id",
    "scores": {"correct": "grades[?name=='correct'].value | [0]"},
    "tags": "labels",
    "output": "said",
    "release": "meta.version",
    "dataset_hash": "meta.set.sha",
    "finished_at": "meta.ended",
    "tool_version": "meta.judge",
    "total": "summary.n",
}


def packed(**more: Any) -> bytes:
    return json.dumps({**DOCUMENT, **more}).encode()


def test_parts_are_found_where_the_expressions_say() -> None:
    answer = json_http.parse(packed(), CONFIG)
    assert [(c.case_id, c.scores["correct"], c.tags) for c in answer.cases] == [
        ("a", Fraction(1, 10), ("harmful",)),
        ("b", None, ()),
    ]
    assert (answer.claims.release, answer.claims.dataset_hash) == (BETTER, DATASET_HASH)
    assert (answer.tool_version, answer.cases[1].output) == ("lab 4", "Hm.")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (packed(summary={"n": 3}), "counts 3 cases and holds 2"),
        (packed(data={}), "no list at data.items"),
        (packed(data={"items": []}), "no rows"),
        (packed(data={"items": [{"grades": []}]}), "counts 2 cases"),
        (b'{"data": ', "not whole JSON"),
        (b"[" * 100_000, "nested too deeply|not whole JSON"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        json_http.parse(raw, CONFIG)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rows": ""}, "where the list of cases stands"),
        ({"scores": {}}, "at least one score"),
        ({"case_id": "key.["}, "The expression for case_id is not JMESPath"),
        ({"scores": {"correct": "a b"}}, "The expression for correct is not JMESPath"),
        ({"password": "x"}, "A mapping has no password"),
        ({"case_id": "x" * 501}, "500 characters"),
    ],
)
def test_expressions_that_cannot_work_are_refused_before_anything_is_stored(
    change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Invalid, match=reason):
        json_http.check({**CONFIG, **change})


@pytest.mark.django_db
def test_it_is_fetched_and_tested_in_words(make_source: Callable[..., Source], settings: Any) -> None:
    with hostile.serving(hostile.plain(packed())) as port:
        settings.EGRESS_ALLOW = [f"127.0.0.1:{port}"]
        source = make_source("json_http", location=f"http://127.0.0.1:{port}/results.json", **CONFIG)
        name, raw, answer = read_file(source, release_label=BETTER)
        assert (name, raw, len(answer.cases)) == ("results.json", packed(), 2)
        (finding,) = try_connection(source, now=NOW)
    assert finding.ok
    assert finding.sentence.startswith(f"results.json: JSON lab 4, 2 cases, {len(packed())} bytes, about {BETTER}")
    with hostile.serving(hostile.plain(b"", status="302 Found", headers="Location: http://10.0.0.1/\r\n")) as port:
        settings.EGRESS_ALLOW = [f"127.0.0.1:{port}"]
        Source.objects.filter(pk=source.pk).update(config={"location": f"http://127.0.0.1:{port}/r.json", **CONFIG})
        source.refresh_from_db()
        (moved,) = try_connection(source, now=NOW)
    assert not moved.ok
    assert "redirects are not followed" in moved.sentence
