from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from audit import vault
from audit.actors import SYSTEM
from audit.ledger import entries
from jobs.models import Event
from metrics import evaluation
from metrics.judges.evaluation import judge
from metrics.models import EvaluationRun
from metrics.problems import Forbidden, Invalid, MetricsError, Unreadable
from systems.policy import SHIPPED_RELEASE_BARS
from tests.factories import make_system, make_user
from tests.metrics.samples import BASELINE, BETTER, DATASET_HASH, INSPECT, PROMPTFOO, WORSE
from tests.metrics.scene import Scene

pytestmark = pytest.mark.django_db


def record(scene: Scene, release: str, tool: str = "inspect_ai") -> tuple[EvaluationRun, bool]:
    raw = (INSPECT / f"{release}.eval" if tool == "inspect_ai" else PROMPTFOO / f"{release}.json").read_bytes()
    return evaluation.record_run(
        system=scene.system,
        answer=evaluation.parse(tool, raw),
        raw=raw,
        origin=EvaluationRun.Origin.PULLED,
        by=SYSTEM,
        now=scene.now,
    )


def test_a_run_is_stored_with_its_cases_its_file_an_entry_and_an_event(scene: Scene) -> None:
    run, created = record(scene, BETTER)
    assert created
    assert (run.cases, run.errored, run.metric, run.dataset_hash) == (40, 0, "correct", DATASET_HASH)
    assert run.metrics["correct"] == {"mean": "0.925", "cases": 40, "errored": 0}
    assert run.results.count() == 40
    case = run.results.get(case_id="plain-000")
    assert case.scores == {"correct": "1", "grounded": "1"}
    assert case.output.startswith("Refunds are possible")
    assert vault.get(run.raw_digest) == (INSPECT / f"{BETTER}.eval").read_bytes()
    (entry,) = entries(subject=f"evaluation:{run.pk}")
    assert entry.kind == "evaluation.recorded"
    event = Event.objects.get(topic="metrics.run-recorded")
    assert event.payload == {"run_id": str(run.pk), "system": "support-bot", "release_label": BETTER}


def test_the_same_file_is_one_run_however_often_it_comes(scene: Scene) -> None:
    first, _ = record(scene, BETTER)
    second, created = record(scene, BETTER)
    assert (second.pk, created) == (first.pk, False)
    assert Event.objects.filter(topic="metrics.run-recorded").count() == 1
    other = Scene(make_system("other-bot", people=scene.people), scene.people)
    assert record(other, BETTER)[1], "another system has its own run"


@pytest.mark.parametrize("tool", ["inspect_ai", "promptfoo"])
def test_real_runs_are_judged_the_better_passes_and_the_worse_fails(scene: Scene, tool: str) -> None:
    baseline, better, worse = (
        evaluation.paired_cases(record(scene, label, tool)[0]) for label in (BASELINE, BETTER, WORSE)
    )
    passed = judge(better, baseline, SHIPPED_RELEASE_BARS)
    assert passed.outcome == "pass"
    assert passed.delta == {"inspect_ai": Decimal("0.125"), "promptfoo": Decimal("0.083333333333")}[tool]
    assert passed.regressed == ("angry-023",)
    assert judge(worse, baseline, SHIPPED_RELEASE_BARS).outcome == "fail"
    assert judge(better, None, SHIPPED_RELEASE_BARS).outcome == "pass"
    first = judge(worse, None, SHIPPED_RELEASE_BARS)
    assert first.outcome == "fail"
    assert any("grounded is" in reason for reason in first.reasons)


def test_what_was_measured_never_changes(scene: Scene) -> None:
    run, _ = record(scene, BETTER)
    for change in (
        lambda: EvaluationRun.objects.filter(pk=run.pk).update(release_label=WORSE),
        lambda: EvaluationRun.objects.filter(pk=run.pk).update(metrics={}),
        lambda: run.results.update(scores={"correct": "1"}),
    ):
        with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
            change()


def push(scene: Scene, by: Any, tool: str = "promptfoo", raw: bytes | None = None) -> tuple[EvaluationRun, bool]:
    content = (PROMPTFOO / f"{BETTER}.json").read_bytes() if raw is None else raw
    return evaluation.push_run(system=scene.system, tool=tool, raw=content, by=by, via=by, now=scene.now)


def test_a_pushed_file_counts_when_a_second_person_has_confirmed_its_origin(scene: Scene) -> None:
    run, _ = push(scene, scene.people.engineer)
    assert (run.origin, run.origin_proven) == ("pushed-unproven", False)
    with pytest.raises(Forbidden, match="somebody else confirms"):
        evaluation.confirm_origin(run=run, by=scene.people.engineer, now=scene.now)
    with pytest.raises(Exception, match="This takes"):
        evaluation.confirm_origin(run=run, by=scene.people.privacy, now=scene.now)
    later = scene.now + timedelta(hours=1)
    confirmed = evaluation.confirm_origin(run=run, by=scene.people.operator, now=later)
    assert confirmed.origin_proven
    assert [entry.kind for entry in entries(subject=f"evaluation:{run.pk}")] == [
        "evaluation.recorded",
        "evaluation.origin-confirmed",
    ]
    with pytest.raises(MetricsError, match="proven already"):
        evaluation.confirm_origin(run=run, by=scene.people.product, now=later)


def test_pushing_it_again_is_the_same_run_and_takes_a_role(scene: Scene) -> None:
    first, created = push(scene, scene.people.engineer)
    again, twice = push(scene, scene.people.operator)
    assert (created, twice, first.pk) == (True, False, again.pk)
    with pytest.raises(Exception, match="This takes"):
        push(scene, scene.people.auditor)
    with pytest.raises(Exception, match="nothing here"):
        push(scene, make_user("Stranger"))


def test_what_cannot_be_read_is_refused_and_leaves_nothing(scene: Scene) -> None:
    with pytest.raises(Invalid, match="tool 'lm-eval' cannot be pushed"):
        push(scene, scene.people.engineer, tool="lm-eval")
    with pytest.raises(Unreadable):
        push(scene, scene.people.engineer, raw=b"not a file")
    nameless = (PROMPTFOO / f"{BETTER}.json").read_bytes().replace(b"readiness.release", b"readiness_release")
    with pytest.raises(Invalid, match="lacks readiness.release"):
        push(scene, scene.people.engineer, raw=nameless)
    assert not EvaluationRun.objects.exists()


def test_ten_thousand_cases_are_stored_without_pain(scene: Scene, django_assert_max_num_queries: Any) -> None:
    from dataclasses import replace

    answer = evaluation.parse("inspect_ai", (INSPECT / f"{BETTER}.eval").read_bytes())
    cases = tuple(replace(answer.cases[n % 40], case_id=f"case-{n:05}", output=f"{n}\0\ud800") for n in range(10_000))
    with django_assert_max_num_queries(25):
        run, _ = evaluation.record_run(
            system=scene.system,
            answer=replace(answer, cases=cases),
            raw=b"many",
            origin=EvaluationRun.Origin.PULLED,
            by=SYSTEM,
            now=scene.now,
        )
    assert run.results.count() == 10_000
    assert run.results.get(case_id="case-00007").output == "7\N{REPLACEMENT CHARACTER}?"
    assert connection.vendor == "postgresql"
