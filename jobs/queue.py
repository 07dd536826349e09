"""Putting work into the queue. The row is the order; the message to the broker only wakes a worker sooner."""

import logging
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from celery import current_app
from django.db import transaction

from jobs.models import Job

log = logging.getLogger(__name__)

current_job: ContextVar[Job | None] = ContextVar("current_job", default=None)


def enqueue(
    task: str, *, key: str, now: datetime, args: dict[str, Any] | None = None, run_after: datetime | None = None
) -> Job:
    """Orders a run of `task`. The same key is the same work: asked twice, it is done once, and the first row is returned."""
    job, created = Job.objects.get_or_create(
        key=key, defaults={"task": task, "args": args or {}, "run_after": run_after or now, "created_at": now}
    )
    if created and job.run_after <= now:
        transaction.on_commit(lambda: wake(job))
    return job


def wake(job: Job) -> None:
    """Tells a worker about the job now. A broker that is away costs seconds: the tick sends it again."""
    try:
        current_app.send_task(job.task, kwargs={"job_id": str(job.pk)}, retry=False, ignore_result=True)
    except Exception as error:  # whatever the transport raises, the row is safe
        log.warning("Broker away, %s waits for the next tick: %s", job, error)


def report(progress: int, message: str = "") -> None:
    """Inside a job: says how far it is. Outside of one it says nothing, so that commands can share the code."""
    if job := current_job.get():
        Job.objects.filter(pk=job.pk).update(progress=max(0, min(progress, 100)), message=message[:300])
