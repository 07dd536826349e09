"""Background work. Each fetches nothing but its arguments and calls one function."""

from datetime import datetime

from jobs.models import Slot
from jobs.tasks import job_task
from operations import budget_watch, deliver, escalation, health_watch, rehearsing, reminding, reviewing


@job_task("operations.deliver")
def deliver_one(*, delivery_id: str, now: datetime) -> None:
    deliver.take_turn(delivery_id, now=now)


@job_task("operations.order_deliveries")
def order_deliveries(*, now: datetime) -> None:
    deliver.order_due(now=now)


@job_task("operations.watch_budgets")
def watch_budgets(*, now: datetime) -> None:
    budget_watch.watch_all(now=now)


@job_task("operations.watch_health")
def watch_health(*, now: datetime) -> None:
    slots = Slot.objects.filter(schedule="operations.watch_health").order_by("-at").values_list("at", flat=True)[:2]
    if len(slots) == 2:
        health_watch.watch_beat(slots[1], now=slots[0])
    health_watch.watch_all(now=now)


@job_task("operations.escalate")
def escalate(*, now: datetime) -> None:
    escalation.look(now=now)


@job_task("operations.look_at_reviews")
def look_at_reviews(*, now: datetime) -> None:
    reviewing.look(now=now)


@job_task("operations.run_drills")
def run_drills(*, now: datetime) -> None:
    rehearsing.advance_all(now=now)


@job_task("operations.remind")
def remind(*, now: datetime) -> None:
    reminding.look(now=now)
