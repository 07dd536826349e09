"""Work of the record in the background."""

from datetime import datetime

from audit import (
    derivation,
    environments,
    partitions,
    request_verification,
    retention,
    sealing,
    shares,
    spanlog,
    verification,
)
from audit.actors import SYSTEM
from audit.ingest import quota
from jobs.queue import report
from jobs.tasks import job_task

# Of 2,000 traces each: a job ends well within its time limit, and the next one goes on.
_ROUNDS = 50


@job_task("audit.seal")
def seal(*, now: datetime) -> None:
    sealing.seal(now=now)


@job_task("audit.verify")
def verify(*, now: datetime) -> None:
    """Once a day from the first entry: bits flip in old rows too, and nobody reads those."""
    # Progress is told between the steps: while entries stream in, their connection waits for nobody else's query.
    for step in verification.verify_log():
        report(0, step.name)
        if not step.ok:
            reason = f"{step.name}: {step.detail}"
            sealing.stop(reason, now=now)
            raise sealing.SealRefused(reason)
    for step in request_verification.verify_requests():
        report(50, step.name)
        if not step.ok:
            raise spanlog.NotSigned(f"{step.name}: {step.detail}")


@job_task("audit.sequence")
def sequence(*, now: datetime) -> None:
    """Numbers the spans that came in, and signs. Summing them up is another job, so that a seal never waits for it."""
    numbered = spanlog.sequence(now=now)
    report(100, f"{numbered} spans numbered")
    spanlog.sign_head(now=now)


@job_task("audit.derive")
def derive(*, now: datetime) -> None:
    derived = derivation.derive(now=now, at_most=_ROUNDS)
    environments.end_those_over(now=now)
    shares.watch_shares(now=now)
    report(100, f"{derived} requests derived")


@job_task("audit.partitions")
def make_partitions(*, now: datetime) -> None:
    """The days to come; and the counters of minutes that are over go."""
    partitions.make_ahead(now.date())
    quota.forget(now=now)


@job_task("audit.retention")
def remove_due(*, now: datetime) -> None:
    """What no system keeps any longer leaves; what is held stays."""
    done = retention.remove_due(by=SYSTEM, now=now, report=lambda line: report(0, line))
    report(100, f"{done.payload_days} days of prompts, {done.days} days of spans removed; {done.held} held")
