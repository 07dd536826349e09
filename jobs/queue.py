"""Putting work into the queue. The row is the order; the message to the broker only wakes a worker sooner."""

from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from jobs import broker
from jobs.models import Job

# How long a message may wait for a worker. One that is still waiting then is sent again, and the old one is void. It is
# short, since an alarm waits for as long where the broker died with the message in it.
WAKE_AGAIN = timedelta(seconds=15)

current_job: ContextVar[Job | None] = ContextVar("current_job", default=None)


def enqueue(
    task: str, *, key: str, now: datetime, args: dict[str, Any] | None = None, run_after: datetime | None = None
) -> Job:
    """Orders a run of `task`. The same key is the same work: asked twice, it is done once (the first row)."""
    job, created = Job.objects.get_or_create(
        key=key, defaults={"task": task, "args": args or {}, "run_after": run_after or now, "created_at": now}
    )
    if created and job.run_after <= now:
        transaction.on_commit(lambda: wake(job))
    return job


def wake(job: Job) -> bool:
    """Tells a worker about the job now. A message that is not picked up in time is void: the tick sends another."""
    told = broker.tell(job.task, expires=WAKE_AGAIN.total_seconds(), job_id=str(job.pk))
    if told:
        Job.objects.filter(pk=job.pk).update(woken_at=timezone.now())
    return told


def report(progress: int, message: str = "") -> None:
    """Inside a job: says how far it is. Outside of one it says nothing, so that commands can share the code."""
    if job := current_job.get():
        Job.objects.filter(pk=job.pk).update(progress=max(0, min(progress, 100)), message=message[:300])
