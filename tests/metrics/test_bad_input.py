"""What a source may send, badly: the pull ends, says why, leaves nothing behind, and the worker does its next job."""

import itertools
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from jobs.models import Job
from metrics import egress, evaluation, locations, pull
from metrics.models import EvaluationRun, Pull, Source
from metrics.problems import MetricsError, Unreadable
from metrics.targets import set_target
from metrics.tasks import pull_source
from tests.metrics import hostile
from tests.metrics.connectors.test_json_http import CONFIG, DOCUMENT
from tests.metrics.connectors.test_mlflow import document
from tests.metrics.connectors.test_promptfoo import with_a_case_twice
from tests.metrics.samples import BETTER, DATASET_HASH, INSPECT, PROMPTFOO, inspect_log, packed, pins, promptfoo_file
from tests.metrics.scene import Scene

LARGEST = 400_000


def work(source: Source, scene: Scene, label: str = "") -> Pull:
    """One order and its job, as a worker does it: claimed, run, and written down."""
    pulls = pull.order_pull(source=source, by=scene.people.engineer, now=timezone.now(), release_label=label)
    job = Job.objects.get(key=pulls[0].run_key)
    pull_source.apply(args=[str(job.pk)])
    job.refresh_from_db()
    assert (job.state, job.attempts) == (Job.State.DONE, 0), job.error
    return Pull.objects.get(pk=pulls[0].pk)


def waiting_for(source: Source, scene: Scene) -> Source:
    set_target(source=source, release_label=BETTER, dataset_hash=DATASET_HASH, pins=pins(BETTER), now=scene.now)
    return source


def ended(done: Pull, outcome: str, words: str) -> None:
    assert (done.outcome, words in done.error) == (outcome, True), f"{done.outcome}: {done.error}"
    done.source.refresh_from_db()
    assert words in done.source.last_error


def named(name: str) -> Any:
    """A case whose name the database cannot hold."""
    log = inspect_log()
    log["samples"][0]["id"] = name
    log["eval"]["dataset"]["sample_ids"] = None
    return log


CSV = "case_id,score,readiness.release,readiness.dataset_hash,readiness.prompt_hash,readiness.model,finished_at\n"
FILES: list[tuple[str, str, bytes, str]] = [
    ("inspect_ai", "cut.eval", (INSPECT / f"{BETTER}.eval").read_bytes()[:9000], "damaged or cut off"),
    ("inspect_ai", "old.json", packed({**inspect_log(), "version": 1}), "has version 1; known is version 2"),
    ("inspect_ai", "kind.json", packed({**inspect_log(), "samples": [{"scores": "many"}]}), "a part of another kind"),
    ("inspect_ai", "nul.json", packed(named("a\0b")), "a name that cannot be kept"),
    ("promptfoo", "cut.json", (PROMPTFOO / f"{BETTER}.json").read_bytes()[:9000], "not whole JSON"),
    ("promptfoo", "old.json", packed({"results": {"version": 2}}), "results of version 2; known is version 3"),
    ("promptfoo", "twice.json", packed(with_a_case_twice(promptfoo_file())), "has plain-000 2 times"),
    ("promptfoo", "nan.json", (PROMPTFOO / "faulty.json").read_bytes(), "dropped, as happens when a score is not a"),
    ("junit", "cut.xml", b"<testsuite><testcase name='a'>", "not whole XML"),
    ("junit", "twice.xml", b"<testsuite><testcase name='a'/><testcase name='a'/></testsuite>", "has a twice"),
    ("table", "cut.csv", (CSV + "a,1\n").encode(), "Row 2 of the table has 2 cells"),
    ("table", "twice.csv", (CSV + "a,1,,,,,\n" * 2).encode(), "has a twice"),
    ("table", "huge.csv", b"x" * (LARGEST + 1), "has more than 400,000 bytes"),
]


@pytest.mark.django_db
def test_after_every_bad_file_the_worker_does_its_next_job(
    scene: Scene, folder: Path, make_source: Callable[..., Source], settings: Any
) -> None:
    settings.EVIDENCE_MAX_BYTES = LARGEST
    for kind, name, raw, words in FILES:
        (folder / name).write_bytes(raw)
        source = waiting_for(make_source(kind, location=name), scene)
        ended(work(source, scene), "failed" if "bytes" in words else "refused", words)
        assert not EvaluationRun.objects.exists()
    shutil.copy(INSPECT / f"{BETTER}.eval", folder)
    good = waiting_for(make_source(location="{release}.eval"), scene)
    assert work(good, scene).outcome == "recorded"


@pytest.mark.django_db
def test_after_every_bad_server_the_worker_does_its_next_job(
    scene: Scene, make_source: Callable[..., Source], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EGRESS_ALLOW = ["127.0.0.0/8"]
    real = egress.Limits
    quick, patient = (real(connect=10, read=10, total=total, max_bytes=LARGEST) for total in (0.3, 20))
    inside = "Location: http://169.254.169.254/latest/\r\n"
    answers: list[tuple[Any, str, str]] = [
        (hostile.dripping_body, "failed", "did not answer within 0.3 seconds"),
        (hostile.endless, "failed", "sent more than 400,000 bytes"),
        (hostile.cut_off, "failed", "could not be reached"),
        (hostile.plain(b"", status="302 Found", headers=inside), "failed", "redirects are not followed"),
        (hostile.plain(json.dumps({"data": {"rows": []}}).encode()), "refused", "no list at data.items"),
    ]
    for answer, outcome, words in answers:
        limits = quick if answer is hostile.dripping_body else patient
        monkeypatch.setattr(locations.egress, "Limits", lambda limits=limits, **_: limits)
        with hostile.serving(answer) as port:
            source = make_source("json_http", location=f"http://127.0.0.1:{port}/r.json", **CONFIG)
            began = time.monotonic()
            ended(work(waiting_for(source, scene), scene), outcome, words)
            assert time.monotonic() - began < 3
    assert not EvaluationRun.objects.exists()
    monkeypatch.setattr(locations.egress, "Limits", real)
    with hostile.serving(hostile.plain((INSPECT / f"{BETTER}.json").read_bytes())) as port:
        source = waiting_for(make_source("inspect_ai", location=f"http://127.0.0.1:{port}/r.json"), scene)
        assert work(source, scene).outcome == "recorded"


WRONG_KINDS: list[Any] = [None, True, -1, 10**400, "", "x\0y", [], [1], {}, {"a": 1}, "0001-01-01T00:00:00+23:59"]


def spoilt(found: Any) -> Iterator[Any]:
    """The document with one of its parts at a time replaced by something of another kind."""
    kinds = itertools.cycle(WRONG_KINDS)

    def inside(node: Any) -> Iterator[None]:
        keys = list(node) if isinstance(node, dict) else range(min(len(node), 1)) if isinstance(node, list) else ()
        for key in keys:
            kept = node[key]
            for wrong in itertools.islice(kinds, 3):
                node[key] = wrong
                yield
            node[key] = kept
            yield from inside(kept)

    for _ in inside(found):
        yield found


@pytest.mark.parametrize(
    ("tool", "found", "config"),
    [
        ("promptfoo", promptfoo_file(), None),
        ("mlflow", document(), None),
        ("json_http", json.loads(json.dumps(DOCUMENT)), CONFIG),
    ],
    ids=["promptfoo", "mlflow", "json_http"],
)
def test_a_part_of_another_kind_is_refused_or_read_and_never_stumbled_over(
    tool: str, found: dict[str, Any], config: dict[str, Any] | None
) -> None:
    refused = 0
    for wrong in spoilt(found):
        try:
            evaluation.parse(tool, packed(wrong), config)
        except MetricsError:
            refused += 1
    assert refused > 5


def test_a_file_that_says_it_had_a_billion_results_is_refused_at_once() -> None:
    found = promptfoo_file()
    found["results"]["stats"]["successes"] = 10**12
    began = time.process_time()
    with pytest.raises(Unreadable, match="counts 1000000000"):
        evaluation.parse("promptfoo", packed(found))
    assert time.process_time() - began < 1


@pytest.mark.parametrize("name", ["a\0b", "half \ud800"])
def test_names_that_cannot_be_stored_are_refused_and_not_mended(name: str) -> None:
    with pytest.raises(Unreadable, match="a name that cannot be kept"):
        evaluation.parse("inspect_ai", packed(named(name)))
    raw = json.dumps({"case_id": "a", "score." + "m" * 101: 1}).encode()
    with pytest.raises(Unreadable, match="a name that cannot be kept"):
        evaluation.parse("table", raw)
