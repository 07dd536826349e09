import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from audit import trail, vault
from audit.ledger import entries
from jobs.models import Event, Job
from metrics import pull
from metrics.models import EvaluationRun, Measurement, Pull, Source
from metrics.problems import Invalid, MetricsError
from metrics.targets import end_targets, set_target
from tests.metrics.samples import BASELINE, BETTER, DATASET_HASH, INSPECT, PROMPTFOO, WORSE, pins
from tests.metrics.scene import Scene

pytestmark = pytest.mark.django_db


def aim(source: Source, scene: Scene, release: str = BETTER, **more: Any) -> None:
    asked = {"dataset_hash": DATASET_HASH, "pins": pins(release)} | more
    set_target(source=source, release_label=release, now=scene.now, **asked)


def pulled(source: Source, scene: Scene, *, seconds: int = 0, **more: Any) -> Pull:
    now = scene.now + timedelta(seconds=seconds)
    (ordered,) = pull.order_pull(source=source, by=scene.people.engineer, now=now, **more)
    pull.perform(pull_id=str(ordered.pk), now=now)
    ordered.refresh_from_db()
    return ordered


@pytest.mark.parametrize(
    ("kind", "file"), [("inspect_ai", INSPECT / f"{BETTER}.eval"), ("promptfoo", PROMPTFOO / f"{BETTER}.json")]
)
def test_the_file_that_a_release_waits_for_is_pulled_and_kept(
    scene: Scene, folder: Path, make_source: Callable[..., Source], kind: str, file: Path
) -> None:
    shutil.copy(file, folder)
    source = make_source(kind, location="{release}.*")
    aim(source, scene)
    done = pulled(source, scene)
    assert (done.outcome, done.error) == ("recorded", "")
    assert done.run is not None
    assert (done.run.release_label, done.run.origin, done.run.source) == (BETTER, "pulled", source)
    assert vault.get(done.raw_digest) == file.read_bytes()
    source.refresh_from_db()
    assert (source.state, source.last_ok_at) == ("ok", scene.now)
    assert [entry.kind for entry in entries(subject=f"source:{source.pk}")] == ["source.created", "source.asked"]
    assert Job.objects.get(key=done.run_key).task == "metrics.pull_source"


def test_the_same_file_again_is_nothing_new(scene: Scene, folder: Path, make_source: Callable[..., Source]) -> None:
    shutil.copy(INSPECT / f"{BETTER}.eval", folder)
    source = make_source()
    aim(source, scene)
    first, again = pulled(source, scene), pulled(source, scene, seconds=5)
    assert (first.outcome, again.outcome, again.run) == ("recorded", "unchanged", first.run)
    assert EvaluationRun.objects.count() == 1


def test_a_file_about_something_else_is_refused_with_every_reason(
    scene: Scene, folder: Path, make_source: Callable[..., Source]
) -> None:
    shutil.copy(INSPECT / f"{BASELINE}.eval", folder / f"{BETTER}.eval")
    source = make_source()
    aim(source, scene, dataset_hash="sha256:" + "0" * 64)
    done = pulled(source, scene)
    assert done.outcome == "refused"
    assert f"about release {BASELINE}, not about release {BETTER}" in done.error
    assert "and the release pins sha256:000" in done.error
    assert "prompt hash" in done.error
    assert not EvaluationRun.objects.exists()
    assert not Event.objects.filter(topic="metrics.run-recorded").exists()


@pytest.mark.parametrize(
    ("spoil", "outcome", "words"),
    [
        (lambda path: None, "failed", "There is no file"),
        (lambda path: path.write_bytes(b""), "refused", "is empty"),
        (lambda path: path.write_bytes((INSPECT / f"{BETTER}.eval").read_bytes()[:9000]), "refused", "damaged or cut"),
        (lambda path: path.write_bytes(b"PK" + b"\0" * 100), "refused", "damaged or cut"),
    ],
)
def test_what_cannot_be_read_ends_the_pull_with_the_reason(
    scene: Scene, folder: Path, make_source: Callable[..., Source], spoil: Any, outcome: str, words: str
) -> None:
    spoil(folder / f"{BETTER}.eval")
    source = make_source()
    aim(source, scene)
    done = pulled(source, scene)
    assert done.outcome == outcome
    assert words in done.error
    assert done.finished_at == scene.now
    source.refresh_from_db()
    assert words in source.last_error
    assert (source.state == "failing") == (outcome == "failed")


def test_ordering_twice_in_a_second_is_one_order_and_doing_it_twice_is_doing_it_once(
    scene: Scene, folder: Path, make_source: Callable[..., Source]
) -> None:
    shutil.copy(INSPECT / f"{BETTER}.eval", folder)
    source = make_source()
    aim(source, scene)
    (one,) = pull.order_pull(source=source, by=scene.people.engineer, now=scene.now)
    (two,) = pull.order_pull(source=source, by=scene.people.operator, now=scene.now + timedelta(milliseconds=300))
    assert one.pk == two.pk
    for _ in range(5):
        pull.perform(pull_id=str(one.pk), now=scene.now)
    assert EvaluationRun.objects.count() == 1
    assert Event.objects.filter(topic="metrics.run-recorded").count() == 1


def test_a_worker_that_dies_before_the_end_leaves_nothing_half_done(
    scene: Scene, folder: Path, make_source: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(INSPECT / f"{BETTER}.eval", folder)
    source = make_source()
    aim(source, scene)
    (ordered,) = pull.order_pull(source=source, by=scene.people.engineer, now=scene.now)

    def killed(*_: Any, **__: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(pull, "_end", killed)
        with pytest.raises(SystemExit):
            pull.perform(pull_id=str(ordered.pk), now=scene.now)
    assert not EvaluationRun.objects.exists()
    pull.perform(pull_id=str(ordered.pk), now=scene.now)
    ordered.refresh_from_db()
    assert ordered.outcome == "recorded"


def test_two_workers_with_one_pull_store_it_once(
    scene: Scene, folder: Path, make_source: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one finishes while the first is reading: the first one's work is rolled back without a trace."""
    shutil.copy(INSPECT / f"{BETTER}.eval", folder)
    source = make_source()
    aim(source, scene)
    (ordered,) = pull.order_pull(source=source, by=scene.people.engineer, now=scene.now)
    real = pull.read_file

    def overtaken(*args: Any, **more: Any) -> Any:
        found = real(*args, **more)
        with monkeypatch.context() as patch:
            patch.setattr(pull, "read_file", real)
            pull.perform(pull_id=str(ordered.pk), now=scene.now)
        return found

    monkeypatch.setattr(pull, "read_file", overtaken)
    pull.perform(pull_id=str(ordered.pk), now=scene.now)
    assert EvaluationRun.objects.count() == 1
    assert Event.objects.filter(topic="metrics.run-recorded").count() == 1


def test_nobody_waits_for_it_nobody_may_and_retired_are_refused(
    scene: Scene, make_source: Callable[..., Source]
) -> None:
    source = make_source()
    with pytest.raises(MetricsError, match="No release waits for this source"):
        pull.order_pull(source=source, by=scene.people.engineer, now=scene.now)
    aim(source, scene)
    with pytest.raises(Exception, match="This takes"):
        pull.order_pull(source=source, by=scene.people.auditor, now=scene.now)
    end_targets(system=source.system, release_label=BETTER, now=scene.now)
    with pytest.raises(MetricsError, match="No release waits for this source"):
        pull.order_pull(source=source, by=scene.people.engineer, now=scene.now)
    with pytest.raises(Invalid, match="Say which release"):
        pull.order_pull(source=make_source("trail", environments=[]), by=scene.people.engineer, now=scene.now)


def test_a_schedule_orders_each_slot_once(scene: Scene, folder: Path, make_source: Callable[..., Source]) -> None:
    source = make_source()
    Source.objects.filter(pk=source.pk).update(schedule_seconds=600)
    for release in (BETTER, WORSE):
        aim(source, scene, release)
    for seconds in (0, 10, 20, 599):
        pull.order_due(now=scene.now + timedelta(seconds=seconds))
    assert Pull.objects.count() == 2
    pull.order_due(now=scene.now + timedelta(seconds=600))
    assert Pull.objects.count() == 4
    assert {row.asked_by for row in Pull.objects.all()} == {"product"}


def test_a_new_dataset_replaces_the_target(scene: Scene, make_source: Callable[..., Source]) -> None:
    source = make_source()
    aim(source, scene)
    aim(source, scene, dataset_hash="sha256:" + "1" * 64)
    living = source.targets.filter(ended_at=None)
    assert [target.dataset_hash for target in living] == ["sha256:" + "1" * 64]


def test_the_trail_is_measured_over_the_last_hour(
    scene: Scene, make_source: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source("trail", environments=["production"])
    done = pulled(source, scene, release_label=BETTER)
    assert (done.outcome, done.error) == ("recorded", "")
    assert {row.what: row.value for row in Measurement.objects.all()} == {"requests": 0, "errors": 0}
    row = Measurement.objects.filter(what="requests").get()
    assert row.window_to - row.window_from == timedelta(hours=1)
    assert b'"environments": ["production"]' in vault.get(row.raw_digest)
    assert trail.rates("support-bot", since=row.window_from, until=row.window_to).requests == 0
    assert Event.objects.get(topic="metrics.measured").payload["release_label"] == BETTER


def test_a_run_that_is_older_than_the_source_allows_is_refused(
    scene: Scene, folder: Path, make_source: Callable[..., Source]
) -> None:
    source = make_source(location="{release}.eval", fresh_days=3)
    set_target(source=source, release_label=BETTER, dataset_hash=DATASET_HASH, pins=pins(BETTER), now=scene.now)
    shutil.copy(INSPECT / f"{BETTER}.eval", folder / f"{BETTER}.eval")
    found = []
    for days in (1, 9):
        now = scene.now + timedelta(days=days)
        (ordered,) = pull.order_pull(source=source, by=scene.people.engineer, now=now)
        pull.perform(pull_id=str(ordered.pk), now=now)
        ordered.refresh_from_db()
        found.append((ordered.outcome, "fresh for 3 days" in ordered.error))
    assert found == [("recorded", False), ("refused", True)]
