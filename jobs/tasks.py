"""How work is done: claimed by a conditional update, done once, its result kept in its row."""

import functools
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from celery import Task, shared_task
from django.db import IntegrityError, transaction
from django.utils import timezone

from jobs import heartbeat, outbox, schedule
from jobs.models import Event, Job, Slot
from jobs.queue import current_job, enqueue, wake

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
# Above CELERY_TASK_TIME_LIMIT: a job past it was lost with its worker.
RUN_LIMIT = timedelta(seconds=330)
KEEP_FINISHED = timedelta(days=30)


def job_task(name: str) -> Callable[[Callable[..., None]], Task]:
    """Makes `fn(*, now, **args)` a Celery task that runs the job whose id it is given.

    An exception whose `permanent` is true ends the job at once; any other is tried again, later and later, and parked
    after the third time. The body runs outside of a transaction: it takes its own.
    """

    def decorate(fn: Callable[..., None]) -> Task:
        @functools.wraps(fn)
        def run(job_id: str) -> None:
            _run(job_id, fn)

        # Celery names task arguments from the signature, and wraps() would show that of fn.
        del run.__wrapped__
        return shared_task(name=name)(run)

    return decorate


def _run(job_id: str, fn: Callable[..., None]) -> None:
    now = timezone.now()
    claimed = Job.objects.filter(pk=job_id, state=Job.State.QUEUED, run_after__lte=now + timedelta(seconds=1)).update(
        state=Job.State.RUNNING, started_at=now, deadline=now + RUN_LIMIT
    )
    if not claimed:
        return  # somebody else has it, or it is done: the message was a repeat
    job = Job.objects.get(pk=job_id)
    token = current_job.set(job)
    try:
        fn(now=now, **job.args)
    except Exception as error:
        _failed(job, error)
    else:
        Job.objects.filter(pk=job_id, state=Job.State.RUNNING).update(
            state=Job.State.DONE, progress=100, finished_at=timezone.now(), deadline=None, error=""
        )
    finally:
        current_job.reset(token)


def _failed(job: Job, error: Exception) -> None:
    attempts = job.attempts + 1
    permanent = getattr(error, "permanent", False)
    now = timezone.now()
    result: dict[str, Any] = {
        "attempts": attempts,
        "error": f"{type(error).__name__}: {error}"[:2000],
        "deadline": None,
    }
    if permanent:
        result |= {"state": Job.State.FAILED, "finished_at": now}
        log.warning("%s failed: %s", job, error)
    elif attempts >= MAX_ATTEMPTS:
        result |= {"state": Job.State.PARKED, "finished_at": now}
        log.exception("%s parked after %d attempts", job, attempts)
    else:
        result |= {"state": Job.State.QUEUED, "run_after": now + timedelta(seconds=5 * 4**attempts)}
        log.warning("%s will be tried again: %s", job, error)
    Job.objects.filter(pk=job.pk).update(**result)


@shared_task(name="jobs.tick")
def tick() -> None:
    """Every five seconds: what fell due is queued, what was lost is queued again, what happened is passed on."""
    now = timezone.now()
    for beat in schedule.beats(now):
        if take(beat):
            enqueue(beat.task, key=f"beat:{beat.name}:{beat.at.isoformat()}", now=now)
    _requeue_lost(now)
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


def _requeue_lost(now: datetime) -> None:
    lost = Job.objects.filter(state=Job.State.RUNNING, deadline__lt=now)
    for job in lost:
        if job.attempts + 1 >= MAX_ATTEMPTS:
            change: dict[str, Any] = {"state": Job.State.PARKED, "finished_at": now}
        else:
            change = {"state": Job.State.QUEUED, "run_after": now}
        lost.filter(pk=job.pk).update(
            attempts=job.attempts + 1, deadline=None, error="The worker was lost while it ran.", **change
        )
    for job in Job.objects.filter(state=Job.State.QUEUED, run_after__lte=now).order_by("run_after")[:500]:
        wake(job)


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
    """Finished work and passed-on events are kept for a month; what failed stays until somebody looked at it."""
    Job.objects.filter(state=Job.State.DONE, finished_at__lt=now - KEEP_FINISHED).delete()
    Job.objects.filter(state=Job.State.DONE, key__startswith="beat:", finished_at__lt=now - timedelta(hours=1)).delete()
    Event.objects.filter(relayed_at__lt=now - KEEP_FINISHED).delete()
    Slot.objects.filter(at__lt=now - timedelta(days=7)).delete()
