"""What this package does when something happened, here or on a lower floor."""

from jobs.models import Event
from jobs.outbox import on
from jobs.queue import enqueue
from releases.actions.probing import TASK as PROBE
from releases.actions.probing import give_up
from releases.feeding import feed, unsettle_ownership
from releases.judging import JUDGED, aim_sources
from releases.models import Decision, Release


@on("metrics.run-recorded")
def judge_new_run(event: Event) -> None:
    """A new evaluation run: judge it for the release that it is about."""
    run_id = event.payload["run_id"]
    enqueue("releases.judge_run", key=f"judge:{run_id}:{event.pk}", now=event.created_at, args={"run_id": run_id})


@on("releases.review-began")
@on("releases.pinned")
def ask_for_evaluations(event: Event) -> None:
    """The release is made of something else, or its review began: sources are asked about what it is now."""
    release = Release.objects.select_related("system", "standard", "policy").get(pk=event.payload["release"])
    aim_sources(release, now=event.created_at)


@on("releases.policy-changed")
def judge_by_other_bars(event: Event) -> None:
    """Other bars: its newest evaluation is judged again."""
    enqueue("releases.judge_waiting", key=f"judge-policy:{event.pk}", now=event.created_at)


@on("metrics.source-saved")
def ask_the_new_source(event: Event) -> None:
    """A source that came after the review began is asked about the open releases too."""
    releases = Release.objects.filter(system__slug=event.payload["system"], state__in=JUDGED, pins__isnull=False)
    for release in releases.select_related("system", "standard", "policy").distinct():
        aim_sources(release, now=event.created_at)


@on("releases.canary-started")
@on("releases.promoted")
def order_bundle(event: Event) -> None:
    """A question is closed: what it rests on is packed and kept, as soon as the record of it is signed."""
    occasions = {"releases.canary-started": "started", "releases.promoted": "promoted"}
    decision = Decision.objects.get(release=event.payload["release"], occasion=occasions[event.topic])
    args = {"decision_id": str(decision.pk)}
    # The sealer signs every few seconds; a bundle without proofs would be none.
    enqueue("releases.make_bundle", key=f"bundle:{decision.pk}", now=event.created_at, args=args)


@on("releases.bundle-made")
def tell_ticket(event: Event) -> None:
    args = {"bundle_id": event.payload["bundle"]}
    enqueue("releases.tell_ticket", key=f"ticket:{event.payload['bundle']}", now=event.created_at, args=args)


@on("operations.record-made")
def feed_items(event: Event) -> None:
    """Something was drilled, reviewed or written down: items that ask for it get it, where they have nothing yet."""
    feed(event.payload, now=event.created_at)


@on("systems.ownership-acknowledged")
def feed_ownership(event: Event) -> None:
    """Everybody has said that they answer for what they are named for."""
    feed(event.payload | {"record": "acknowledgement"}, now=event.created_at)


@on("systems.ownership-changed")
def ask_owners_again(event: Event) -> None:
    unsettle_ownership(event.payload["system"], event.payload["area"], now=event.created_at)


@on(f"jobs.gave-up.{PROBE}")
def fail_probe(event: Event) -> None:
    """The job was parked, or failed for good: the probe says so, and the headers kept for it are erased."""
    lost = event.payload
    give_up(attempts=lost["attempts"], error=lost["error"], now=event.created_at, **lost["args"])
