from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from jobs.models import Event, Job, Slot
from jobs.queue import enqueue
from jobs.schedule import Schedule
from jobs.tasks import LOST, MAX_ATTEMPTS, RUN_LIMIT, clean, requeue_lost, take
from tests.factories import NOW
from tests.jobs.sample_tasks import fail, work

pytestmark = pytest.mark.django_db


def order(task="tests.work", **args):
    return enqueue(task, key="k", now=timezone.now(), args=args)


def run(task, job):
    task(job_id=str(job.pk))
    job.refresh_from_db()


def test_a_failure_is_tried_again_later_and_later_then_parked():
    with time_machine.travel(NOW, tick=False) as clock:
        job = order("tests.fail", permanent=False)
        waits = []
        for attempt in range(1, MAX_ATTEMPTS + 1):
            run(fail, job)
            assert job.attempts == attempt
            assert job.error == "OSError: Not now."
            if attempt < MAX_ATTEMPTS:
                assert job.state == "queued"
                waits.append((job.run_after - timezone.now()).total_seconds())
                run(fail, job)
                assert job.attempts == attempt, "not before its time"
                clock.move_to(job.run_after)
        assert waits == [20, 80]
        assert job.state == "parked"
        assert job.finished_at == timezone.now()
        run(fail, job)
        assert job.attempts == MAX_ATTEMPTS


def test_a_permanent_failure_ends_it_at_once():
    job = order("tests.fail", permanent=True)
    run(fail, job)
    assert (job.state, job.attempts, job.error) == ("failed", 1, "Hopeless: It is not there.")


def test_a_lost_run_is_queued_again_after_its_deadline_and_parked_in_the_end(tmp_path):
    job = order(file=str(tmp_path / "runs"))
    now = timezone.now()
    for attempt in range(1, MAX_ATTEMPTS + 1):
        Job.objects.filter(pk=job.pk).update(state="running", started_at=now, deadline=now + RUN_LIMIT)
        requeue_lost(now=now + RUN_LIMIT)
        job.refresh_from_db()
        assert job.state == "running"
        now += RUN_LIMIT + timedelta(seconds=1)
        requeue_lost(now=now)
        job.refresh_from_db()
        assert job.attempts == attempt
    assert job.state == "parked"
    assert "lost" in job.error


@pytest.mark.parametrize("attempts", [0, MAX_ATTEMPTS - 1])
def test_who_listens_hears_of_a_job_that_is_given_up_and_only_then(attempts):
    """In each of the three ways in which a job ends without having been done. Nobody listens to `tests.work`."""
    now = timezone.now()
    errors = {"raised": "OSError: Not now.", "lost": LOST, "came-back": LOST}
    jobs = {key: enqueue("tests.fail", key=key, now=now, args={"permanent": False}) for key in errors}
    enqueue("tests.work", key="unheard", now=now, args={"file": ""})
    Job.objects.update(attempts=attempts)
    run(fail, jobs["raised"])
    Job.objects.exclude(key="raised").update(state="running", started_at=now, deadline=now, claim="message")
    fail.apply(kwargs={"job_id": str(jobs["came-back"].pk)}, task_id="message")
    requeue_lost(now=now + timedelta(seconds=1))
    last = attempts == MAX_ATTEMPTS - 1
    assert set(Job.objects.values_list("state", flat=True)) == ({"parked"} if last else {"queued"})
    whole = {"args": {"permanent": False}, "attempts": MAX_ATTEMPTS}
    heard = {event.subject: event.payload for event in Event.objects.filter(topic="jobs.gave-up.tests.fail")}
    assert heard == ({key: whole | {"error": error} for key, error in errors.items()} if last else {})
    assert not Event.objects.filter(topic="jobs.gave-up.tests.work").exists()


def test_who_was_taken_for_lost_no_longer_writes_the_result(tmp_path, monkeypatch):
    """The slow run ends after another one was given the job: its word does not count."""
    job = order(file=str(tmp_path / "runs"))

    def meanwhile(_seconds):
        other = timezone.now() + timedelta(seconds=400)
        Job.objects.filter(pk=job.pk).update(state="running", started_at=other, deadline=other + RUN_LIMIT)

    monkeypatch.setattr("tests.jobs.sample_tasks.time.sleep", meanwhile)
    run(work, job)
    assert job.state == "running"


def test_a_beat_is_taken_once():
    beat = Schedule("tests.beat", "tests.work", 60).beat(NOW + timedelta(seconds=59))
    assert beat.at == NOW
    assert take(beat)
    assert not take(beat)
    assert take(Schedule("tests.beat", "tests.work", 60).beat(NOW + timedelta(seconds=60)))
    assert Slot.objects.filter(schedule="tests.beat").count() == 2


def test_what_is_done_is_cleaned_away_and_what_failed_stays(tmp_path):
    old = timezone.now() - timedelta(days=31)
    for state in ("done", "failed", "parked"):
        Job.objects.create(task="t", key=state, state=state, run_after=old, created_at=old, finished_at=old, args={})
    cleaner = enqueue("jobs.clean", key="clean", now=timezone.now())
    run(clean, cleaner)
    assert cleaner.state == "done", cleaner.error
    assert set(Job.objects.values_list("key", flat=True)) == {"failed", "parked", "clean"}


def test_beats_are_kept_for_hours_not_for_ever():
    now = timezone.now()
    for state, hours in (("done", 2), ("done", 0), ("failed", 25), ("failed", 23), ("parked", 25), ("parked", 23)):
        at = now - timedelta(hours=hours)
        Job.objects.create(
            task="t", key=f"beat:{state}:{hours}", state=state, run_after=at, created_at=at, finished_at=at, args={}
        )
    run(clean, enqueue("jobs.clean", key="clean", now=now))
    kept = Job.objects.filter(key__startswith="beat:").values_list("key", flat=True)
    assert set(kept) == {"beat:done:0", "beat:failed:23", "beat:parked:23"}
