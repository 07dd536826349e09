"""What this package does when lower floors say that something happened."""

from jobs.models import Event
from jobs.outbox import on
from jobs.queue import enqueue


@on("metrics.run-recorded")
def judge_new_run(event: Event) -> None:
    """A new evaluation run: judge it for the release that it is about."""
    enqueue(
        "releases.judge_run",
        key=f"judge:{event.payload['run_id']}:{event.pk}",
        now=event.created_at,
        args={"run_id": event.payload["run_id"]},
    )
