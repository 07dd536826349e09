"""The whole way with a real broker and a real worker: what is ordered is done, once, whatever dies on the way."""

import os
import signal
import time
from datetime import timedelta

import pytest
from celery import current_app
from django.db import transaction
from django.utils import timezone

from jobs.models import Event, Job
from jobs.outbox import emit
from jobs.queue import WAKE_AGAIN, enqueue
from jobs.tasks import requeue_lost, tick
from tests.jobs.conftest import running_worker, until

pytestmark = pytest.mark.django_db(transaction=True)


def lines(file):
    return file.read_text().splitlines() if file.exists() else []


def done(job):
    job.refresh_from_db()
    assert job.state not in ("failed", "parked"), job.error
    return job.state == "done"


def test_a_job_delivered_five_times_is_done_once(worker, tmp_path):
    file = tmp_path / "runs"
    with transaction.atomic():
        job = enqueue("tests.work", key="once", now=timezone.now(), args={"file": str(file), "seconds": 1})
        assert enqueue("tests.work", key="once", now=timezone.now()).pk == job.pk
        assert not lines(file), "nothing runs before the transaction ends"
    for _ in range(4):
        current_app.send_task("tests.work", kwargs={"job_id": str(job.pk)})
    until(lambda: done(job))
    current_app.send_task("tests.work", kwargs={"job_id": str(job.pk)})
    time.sleep(2)
    assert [line.split()[0] for line in lines(file)] == ["start", "end"]
    assert (job.attempts, job.progress, job.message) == (0, 100, "halfway")


def test_nothing_runs_that_was_rolled_back(worker, tmp_path):
    file = tmp_path / "runs"
    with transaction.atomic():
        enqueue("tests.work", key="never", now=timezone.now(), args={"file": str(file)})
        emit("tests.happened", subject="x:1", payload={"file": str(file)}, now=timezone.now())
        transaction.set_rollback(True)
    tick.delay()
    time.sleep(3)
    assert not Job.objects.filter(key="never").exists()
    assert not lines(file)


def test_a_killed_process_gives_its_job_back(worker, tmp_path):
    file = tmp_path / "runs"
    job = enqueue("tests.work", key="kill", now=timezone.now(), args={"file": str(file), "hang_first": True})
    until(lambda: lines(file))
    os.kill(int(lines(file)[0].split()[1]), signal.SIGKILL)
    until(lambda: done(job), 30)
    assert [line.split()[0] for line in lines(file)] == ["start", "start", "end"]
    assert job.attempts == 1


def test_every_handler_of_a_topic_is_called_and_a_broken_one_holds_up_nobody(worker, tmp_path):
    file = tmp_path / "runs"
    with transaction.atomic():
        emit("tests.happened", subject="x:1", payload={"file": str(file)}, now=timezone.now())
        emit("tests.happened", subject="x:2", payload={"file": str(file), "break_second": True}, now=timezone.now())
        emit("tests.nobody-cares", subject="x:3", payload={}, now=timezone.now())
    until(lambda: len(lines(file)) == 3)
    assert sorted(lines(file)) == ["first x:1", "first x:2", "second x:1"]
    until(lambda: Job.objects.filter(state="failed").exists())
    failed = Job.objects.get(state="failed")
    assert failed.args["handler"] == "tests.jobs.sample_tasks.second"
    assert failed.error == "Hopeless: This handler has a fault."
    assert not Event.objects.filter(relayed_at=None).exists()


def test_with_the_broker_away_nothing_is_lost_and_nobody_waits(absent_broker, transactional_db, tmp_path):
    file = tmp_path / "runs"
    began = time.monotonic()
    jobs = [enqueue("tests.work", key=f"away:{n}", now=timezone.now(), args={"file": str(file)}) for n in range(20)]
    emit("tests.happened", subject="x:1", payload={"file": str(file)}, now=timezone.now())
    assert time.monotonic() - began < 3
    assert not Job.objects.exclude(woken_at=None).exists()

    absent_broker.start()
    with running_worker(absent_broker.url, tmp_path / "worker.log"):
        tick.delay()
        until(lambda: all(done(job) for job in jobs))
        until(lambda: "first x:1" in lines(file))
    assert sum(line == "end" for line in lines(file)) == 20


def test_a_broker_that_forgot_everything_is_told_again(real_broker, transactional_db, tmp_path):
    file = tmp_path / "runs"
    job = enqueue("tests.work", key="wiped", now=timezone.now(), args={"file": str(file)})
    job.refresh_from_db()
    assert job.woken_at is not None
    real_broker.stop()  # it keeps nothing on disk
    real_broker.start()
    with running_worker(real_broker.url, tmp_path / "worker.log"):
        Job.objects.filter(pk=job.pk).update(woken_at=timezone.now())  # however long the worker took to start
        tick.delay()
        time.sleep(2)
        assert not lines(file), "its message may still be on the way, for all the tick knows"
        requeue_lost(now=timezone.now() + WAKE_AGAIN + timedelta(seconds=1))
        until(lambda: done(job))
    assert len(lines(file)) == 2
