"""Background work: fetch by id, call one action."""

from datetime import datetime

from jobs.tasks import job_task
from metrics import drift, pull


@job_task(pull.TASK)
def pull_source(*, pull_id: str, now: datetime) -> None:
    pull.perform(pull_id=pull_id, now=now)


@job_task("metrics.pull_due")
def pull_due(*, now: datetime) -> None:
    pull.order_due(now=now)


@job_task("metrics.report_drift")
def report_drift(*, now: datetime) -> None:
    drift.report_due(now=now)
