"""Background work. Each fetches nothing but its arguments and calls one function."""

from datetime import datetime

from jobs.tasks import job_task
from operations import budget_watch, deliver


@job_task("operations.deliver")
def deliver_one(*, delivery_id: str, now: datetime) -> None:
    deliver.attempt(delivery_id, now=now)


@job_task("operations.order_deliveries")
def order_deliveries(*, now: datetime) -> None:
    deliver.order_due(now=now)


@job_task("operations.watch_budgets")
def watch_budgets(*, now: datetime) -> None:
    budget_watch.watch_all(now=now)
