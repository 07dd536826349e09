"""What a source may send, badly, seen from the release: the gate stays shut, the item names the source's own reason,
and the worker's next job opens it. That the pull ends and stores nothing is tested in tests/metrics/test_bad_input.py.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from demo import walk
from jobs.models import Event, Job
from jobs.tasks import relay
from metrics import egress, locations, pull
from metrics.actions.sources import create_source
from metrics.models import EvaluationRun, Source
from readiness.celery import app
from releases.actions import rollout
from releases.models import Release, Rollout
from releases.watching import watch
from tests.factories import NOW, sign_in
from tests.metrics import hostile
from tests.metrics.samples import BASELINE, BETTER, DATASET_HASH, INSPECT, PROMPTFOO, inspect_log, packed, pins
from tests.releases.conftest import Stage, staged
from tests.releases.ready import prove_channel
from tests.releases.test_rollout import plan, windows

AFTER = datetime(2026, 11, 26, 9, tzinfo=UTC)  # the committed files ended the days before
LARGEST = 400_000
ITEM, CANARY_ITEM = "evaluation.gate", "rollout.canary-clean"


def shared_stage() -> Stage:
    """A release whose evaluation is all that is missing."""
    stage = staged()
    walk.do_checklist(stage.release, stage.people, now=NOW)
    walk.answer_questions(stage.release, by=stage.people.product, now=NOW)
    for kind in ("rollback", "incident"):
        walk.drill(stage.system, kind, stage.people, now=NOW)
    prove_channel(stage.system, by=stage.people.operator)
    Event.objects.update(relayed_at=NOW)  # none of it concerns an evaluation
    return stage


@pytest.fixture
def folder(tmp_path, settings):
    root = tmp_path / "evaluations"
    root.mkdir()
    settings.EVALUATION_ROOTS = [str(root)]
    settings.EVIDENCE_MAX_BYTES = LARGEST
    settings.EGRESS_ALLOW = ["127.0.0.0/8"]
    settings.REQUIRE_MFA = False
    return root


@pytest.fixture
def clock():
    """Ours to move: asked twice within a second is asked once."""
    with time_machine.travel(AFTER, tick=True) as traveller:
        yield traveller


def add_source(stage: Stage, kind: str, **config: Any) -> Source:
    source = create_source(
        system=stage.system, kind=kind, name=f"The {kind}", config=config, by=stage.people.engineer, now=timezone.now()
    )
    work()
    return source


def work() -> None:
    """What a worker does: passes events on and runs what is queued, each by its own task, until nothing is left."""
    app.loader.import_default_modules()  # as a worker does when it starts
    relay(now=timezone.now())
    while (
        job := Job.objects.filter(state=Job.State.QUEUED, run_after__lte=timezone.now()).order_by("created_at").first()
    ):
        app.tasks[job.task].apply(args=[str(job.pk)])
        job.refresh_from_db()
        assert (job.state, job.attempts) == (Job.State.DONE, 0), f"{job.task}: {job.error}"
        relay(now=timezone.now())


def ask(stage: Stage, source: Source, clock: Any, label: str = "") -> None:
    clock.shift(60)
    pull.order_pull(source=source, by=stage.people.engineer, now=timezone.now(), release_label=label)
    work()


def looked_at(stage: Stage, key: str, question: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The gate's answer and the item, as a pipeline reads them."""
    client, about = sign_in(stage.people.engineer), f"/api/releases/{stage.release.pk}"
    return client.get(f"{about}/gate", {"question": question}).json(), client.get(f"{about}/items/{key}").json()


def shut(stage: Stage, words: str, *, key: str = ITEM, question: str = "canary") -> None:
    """No-go for this item, and why: in its evidence, or in what its sources answered; and so on its page."""
    gate, item = looked_at(stage, key, question)
    assert (gate["allow"], gate["verdict"]) == (False, "no-go")
    place = f"/systems/{stage.system.slug}/releases/{stage.release.label}/items/{key}/"
    assert [reason for reason in gate["reasons"] if reason["url"] == place], gate["reasons"]
    told = [one["reason"] for one in item["untaken"]] + [one["title"] for one in item["evidence"]]
    assert any(words in one for one in told), f"{item['sentence']} {told}"
    page = sign_in(stage.people.engineer).get(place).content.decode()
    assert escape(words) in page
    assert ("Answers that cannot be used" in page) == bool(item["untaken"])


def opened(stage: Stage) -> None:
    gate, item = looked_at(stage, ITEM, "canary")
    assert gate["verdict"] == "go", gate["reasons"]
    assert (item["state"], item["untaken"]) == ("verified", [])


HEAD = "case_id,score,readiness.release,readiness.dataset_hash,readiness.prompt_hash,readiness.model,"


def table(label: str, scores: list[str], *, first: int = 1, twice: bool = False) -> bytes:
    """Cases of a table, and all that the release asks of a file."""
    claims = pins(label)
    about = [label, DATASET_HASH, claims["prompt_hash"][0], claims["model"][0], "lab 4", "2026-11-24T10:00:00Z"]
    rows = [",".join([f"case-{number}", score, *about]) for number, score in enumerate(scores, start=first)]
    rows += rows[:1] if twice else []
    return "\n".join([HEAD + "readiness.tool_version,finished_at", *rows]).encode()


GOOD = ["1"] * 40
CUT = (INSPECT / f"{BETTER}.eval").read_bytes()[:9000]
FILES: dict[str, tuple[str, str, bytes, str]] = {
    "truncated": ("inspect_ai", "eval", CUT, "damaged or cut off"),
    "truncated table": ("table", "csv", table(BETTER, GOOD)[:-40], "Row 41 of the table has"),
    "huge": ("table", "csv", b"x" * (LARGEST + 1), "has more than 400,000 bytes"),
    "older schema": ("inspect_ai", "json", packed({**inspect_log(), "version": 1}), "version 1; known is version 2"),
    "newer schema": ("inspect_ai", "json", packed({**inspect_log(), "version": 9}), "version 9; known is version 2"),
    "dropped for a NaN": ("promptfoo", "json", (PROMPTFOO / "faulty.json").read_bytes(), "when a score is not a"),
    "case twice": ("table", "csv", table(BETTER, GOOD, twice=True), "twice"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_keeps_the_gate_shut_and_a_good_one_opens_it(stage, folder, clock, name):
    kind, suffix, raw, words = FILES[name]
    source = add_source(stage, kind, location="{release}.*")
    (folder / f"{BETTER}.{suffix}").write_bytes(raw)
    ask(stage, source, clock)
    shut(stage, words)
    assert not EvaluationRun.objects.exists()
    (folder / f"{BETTER}.{suffix}").unlink()
    put_good(folder, kind)
    ask(stage, source, clock)
    opened(stage)


def put_good(folder: Any, kind: str) -> None:
    if kind == "table":
        (folder / f"{BETTER}.csv").write_bytes(table(BETTER, GOOD))
    else:
        suffix = {"inspect_ai": "eval", "promptfoo": "json"}[kind]
        shutil.copy({"inspect_ai": INSPECT, "promptfoo": PROMPTFOO}[kind] / f"{BETTER}.{suffix}", folder)


def without_numbers(value: str) -> bytes:
    """Every sample's score is no finite number; JSON has none, and Python's tools write it all the same."""
    log = inspect_log()
    for sample in log["samples"]:
        for score in sample["scores"].values():
            score["value"] = float(value)
    return packed(log)


@pytest.mark.parametrize(
    ("kind", "suffix", "score"),
    [
        ("inspect_ai", "json", "nan"),
        ("inspect_ai", "json", "inf"),
        ("table", "csv", "-inf"),
        ("table", "csv", "1e999999999"),
    ],
)
def test_scores_that_are_no_finite_number_never_count_as_passed(stage, folder, clock, kind, suffix, score):
    source = add_source(stage, kind, location="{release}.*")
    raw = table(BETTER, [score] * 40) if kind == "table" else without_numbers(score)
    (folder / f"{BETTER}.{suffix}").write_bytes(raw)
    ask(stage, source, clock)
    shut(stage, "cases, 40 without a number: fail")
    (folder / f"{BETTER}.{suffix}").unlink()
    put_good(folder, kind)
    ask(stage, source, clock)
    opened(stage)


def live(stage: Stage) -> Release:
    """A release that serves already, which would take a whole other life to reach: its run is what matters here."""
    return Release.objects.create(
        system=stage.system, label=BASELINE, state=Release.State.LIVE, opened_by=stage.people.product,
        standard=stage.release.standard, policy=stage.release.policy, opened_at=NOW, live_at=NOW,
    )  # fmt: skip


def test_a_baseline_with_other_cases_keeps_the_gate_shut_until_it_is_run_on_the_same(stage, folder, clock):
    live(stage)
    source = add_source(stage, "table", location="{release}.csv")
    (folder / f"{BETTER}.csv").write_bytes(table(BETTER, GOOD))
    (folder / f"{BASELINE}.csv").write_bytes(table(BASELINE, ["0"] * 40, first=3))
    ask(stage, source, clock)
    shut(stage, "2 of the baseline's cases are missing: case-41, case-42.")
    (folder / f"{BASELINE}.csv").write_bytes(table(BASELINE, ["0"] * 40))
    ask(stage, source, clock, BASELINE)
    opened(stage)


SERVERS: dict[str, tuple[Callable[..., None], float, str]] = {
    "slow": (hostile.dripping_body, 1, "did not answer within 1 seconds"),
    "endless": (hostile.endless, 60, "sent more than 400,000 bytes"),
    "cut off": (hostile.cut_off, 60, "could not be reached"),
    "redirect inside": (
        hostile.plain(b"", status="302 Found", headers="Location: http://169.254.169.254/latest/\r\n"), 60,
        "redirects are not followed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SERVERS)
def test_a_bad_server_keeps_the_gate_shut_and_its_good_answer_opens_it(stage, folder, clock, monkeypatch, name):
    bad, seconds, words = SERVERS[name]
    good = hostile.plain((INSPECT / f"{BETTER}.json").read_bytes())
    answers = [bad]
    real = egress.Limits
    with hostile.serving(lambda *about: answers[0](*about)) as port:
        source = add_source(stage, "inspect_ai", location=f"http://127.0.0.1:{port}/{{release}}.json")
        limits = real(connect=60, read=60, total=seconds, max_bytes=LARGEST)
        monkeypatch.setattr(locations.egress, "Limits", lambda **_: limits)
        ask(stage, source, clock)
        shut(stage, words)
        monkeypatch.setattr(locations.egress, "Limits", real)
        answers[0] = good
        ask(stage, source, clock)
    opened(stage)


def metrics_of(connection: Any, head: bytes) -> None:
    """A Prometheus that knows nothing of the release."""
    body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}}).encode()
    hostile.plain(body)(connection, head)


def test_an_empty_answer_of_prometheus_keeps_the_canary_item_shut_until_its_hours_are_full(stage, folder, clock):
    shutil.copy(INSPECT / f"{BETTER}.eval", folder)
    with hostile.serving(metrics_of) as port:
        metrics = add_source(stage, "prometheus", url=f"http://127.0.0.1:{port}")
        ask(stage, add_source(stage, "inspect_ai", location="{release}.eval"), clock)
        opened(stage)
        started = timezone.now()
        walk.sign_both(stage.release, stage.people, now=started)
        rollout.start_rollout(release_id=stage.release.pk, by=stage.people.operator, now=started)
        Rollout.objects.update(source=metrics)
        watch(plan(stage), now=started + timedelta(minutes=5, seconds=30))
    shut(stage, f'There is no llm_requests_total with release="{BETTER}".', key=CANARY_ITEM, question="release")
    windows(replace(stage, source=metrics), 25.5, since=started + timedelta(minutes=5))
    clock.shift(timedelta(hours=25, minutes=36))
    watch(plan(stage), now=timezone.now())
    item = looked_at(stage, CANARY_ITEM, "release")[1]
    assert (item["state"], item["untaken"]) == ("verified", []), item["sentence"]
