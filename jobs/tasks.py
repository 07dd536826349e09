"""How work is done: claimed by a conditional update, done once, its result kept in its row."""

import functools
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from celery import Task, shared_task
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from jobs import heartbeat, outbox, schedule
from jobs.models import Event, Job, Slot
from jobs.queue import WAKE_AGAIN, current_job, enqueue, wake

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
# Above CELERY_TASK_TIME_LIMIT: a job past it was lost with its worker.
RUN_LIMIT = timedelta(seconds=330)
FAILED = (Job.State.FAILED, Job.State.PARKED)
KEEP_FINISHED = timedelta(days=30)
LOST = "The worker was lost while it ran."


def job_task(name: str) -> Callable[[Callable[..., None]], Task]:
    """Makes `fn(*, now, **args)` a Celery task that runs the job whose id it is given.

    An exception whose `permanent` is true ends the job at once; any other is tried again, later and later, and parked
    after the third time. The body runs outside of a transaction: it takes its own. Who has something to put right when
    a job ends without having been done handles the event `jobs.gave-up.<task>`.
    """

    def decorate(fn: Callable[..., None]) -> Task:
        @functools.wraps(fn)
        def run(task: Task, job_id: str) -> None:
            _run(job_id, task.request.id or "", fn)

        # Celery names task arguments from the signature, and wraps() would show that of fn.
        del run.__wrapped__
        return shared_task(name=name, bind=True)(run)

    return decorate


def _run(job_id: str, message: str, fn: Callable[..., None]) -> None:
    now = timezone.now()
    job = _claim(job_id, message, now)
    if job is None:
        return  # somebody else has it, or it is done: the message was a repeat
    token = current_job.set(job)
    try:
        fn(now=now, **job.args)
    except Exception as error:
        _failed(job, error)
    else:
        _ours(job).update(state=Job.State.DONE, progress=100, finished_at=timezone.now(), deadline=None, error="")
    finally:
        current_job.reset(token)


def _claim(job_id: str, message: str, now: datetime) -> Job | None:
    """The job, if it is ours to run. A message that comes back finds its own job running: its worker was lost."""
    with transaction.atomic():
        job = Job.objects.select_for_update().filter(pk=job_id).first()
        if job is None:
            return None
        came_back = job.state == Job.State.RUNNING and job.claim == message != ""
        if came_back:
            job.attempts += 1
            if job.attempts >= MAX_ATTEMPTS:
                job.state, job.deadline, job.finished_at, job.error = Job.State.PARKED, None, now, LOST
                job.save()
                _gave_up(job, now)
                return None
        elif job.state != Job.State.QUEUED or job.run_after > now + timedelta(seconds=1):
            return None
        job.state, job.claim = Job.State.RUNNING, message
        job.started_at, job.deadline = now, now + RUN_LIMIT
        job.save()
        return job


def _ours(job: Job) -> QuerySet[Job]:
    """The row, unless it was taken to be lost meanwhile and given to somebody else."""
    return Job.objects.filter(pk=job.pk, state=Job.State.RUNNING, started_at=job.started_at)


def _failed(job: Job, error: Exception) -> None:
    attempts = job.attempts + 1
    now = timezone.now()
    result: dict[str, Any] = {
        "attempts": attempts,
        "error": f"{type(error).__name__}: {error}"[:2000],
        "deadline": None,
        "woken_at": None,
    }
    if getattr(error, "permanent", False):
        result |= {"state": Job.State.FAILED, "finished_at": now}
        log.warning("%s failed: %s", job, error)
    elif attempts >= MAX_ATTEMPTS:
        result |= {"state": Job.State.PARKED, "finished_at": now}
        log.exception("%s parked after %d attempts", job, attempts)
    else:
        result |= {"state": Job.State.QUEUED, "run_after": now + timedelta(seconds=5 * 4**attempts)}
        log.warning("%s will be tried again: %s", job, error)
    with transaction.atomic():
        if _ours(job).update(**result) and result.get("state") in FAILED:
            job.attempts, job.error = attempts, result["error"]
            _gave_up(job, now)


def _gave_up(job: Job, now: datetime) -> None:
    """In the transaction that ends the job. Most work leaves nothing behind, and nobody is told."""
    topic = f"jobs.gave-up.{job.task}"
    if outbox.handlers(topic):
        payload = {"args": job.args, "attempts": job.attempts, "error": job.error}
        outbox.emit(topic, subject=job.key, payload=payload, now=now)


@shared_task(name="jobs.tick")
def tick() -> None:
    """Every five seconds: what fell due is queued, what was lost is queued again, what happened is passed on."""
    now = timezone.now()
    for beat in schedule.beats(now):
        with transaction.atomic():  # a beat that is taken is also queued
            if take(beat):
                enqueue(beat.task, key=f"beat:{beat.name}:{beat.at.isoformat()}", now=now)
    requeue_lost(now=now)
    relay(now=now)
    heartbeat.beat(now)


def take(beat: schedule.Beat) -> bool:
    """Whether this beat is ours. Taking it is inserting its row: of two clocks one succeeds."""
    if Slot.objects.filter(schedule=beat.name, at=beat.at).exists():
        return False
    try:
        with transaction.atomic():
            Slot.objects.create(schedule=beat.name, at=beat.at)
    except IntegrityError:
        return False
    return True


def requeue_lost(*, now: datetime) -> None:
    """Runs that are past their deadline are queued again; work that no worker picked up is called out again."""
    lost = Job.objects.filter(state=Job.State.RUNNING, deadline__lt=now)
    for job in lost:
        if job.attempts + 1 >= MAX_ATTEMPTS:
            change: dict[str, Any] = {"state": Job.State.PARKED, "finished_at": now}
        else:
            change = {"state": Job.State.QUEUED, "run_after": now, "woken_at": None}
        job.attempts, job.error = job.attempts + 1, LOST
        with transaction.atomic():
            changed = lost.filter(pk=job.pk).update(attempts=job.attempts, deadline=None, error=LOST, **change)
            if changed and change["state"] == Job.State.PARKED:
                _gave_up(job, now)
    waiting = Job.objects.filter(
        Q(woken_at=None) | Q(woken_at__lt=now - WAKE_AGAIN), state=Job.State.QUEUED, run_after__lte=now
    )
    for job in waiting.order_by("run_after")[:500]:
        if not wake(job):
            break  # the broker is away: the next tick tries


def relay(*, now: datetime) -> None:
    """Turns each waiting event into one job per handler. The rows commit together: an event is never half passed on."""
    with transaction.atomic():
        waiting = Event.objects.select_for_update(skip_locked=True).filter(relayed_at=None).order_by("id")[:500]
        for event in waiting:
            for handler in outbox.handlers(event.topic):
                enqueue(
                    "jobs.handle",
                    key=f"event:{event.pk}:{handler}",
                    now=now,
                    args={"event_id": event.pk, "handler": handler},
                )
            Event.objects.filter(pk=event.pk).update(relayed_at=now)


@job_task("jobs.handle")
def handle(*, event_id: int, handler: str, now: datetime) -> None:
    outbox.call(handler, Event.objects.get(pk=event_id))


@job_task("jobs.clean")
def clean(*, now: datetime) -> None:
    """Finished work and passed-on events are kept for a month; what failed stays until somebody looked at it.

    Beats come again by themselves: a done one is kept for an hour, a failed one for a day (the newest says enough).
    """
    Job.objects.filter(state=Job.State.DONE, finished_at__lt=now - KEEP_FINISHED).delete()
    beats = Job.objects.filter(key__startswith="beat:")
    beats.filter(state=Job.State.DONE, finished_at__lt=now - timedelta(hours=1)).delete()
    beats.filter(state__in=FAILED, finished_at__lt=now - timedelta(days=1)).delete()
    Event.objects.filter(relayed_at__lt=now - KEEP_FINISHED).delete()
    Slot.objects.filter(at__lt=now - timedelta(days=7)).delete()
