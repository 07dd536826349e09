"""Work of the record in the background."""

from datetime import datetime

from audit import derivation, partitions, sealing, spanlog, verification
from jobs.queue import report
from jobs.tasks import job_task


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


@job_task("audit.sequence")
def sequence(*, now: datetime) -> None:
    """Numbers the spans that came in, derives their requests, and signs. Deriving goes on where signing is refused."""
    numbered = spanlog.sequence(now=now)
    derived = derivation.derive(now=now)
    report(100, f"{numbered} spans numbered, {derived} requests derived")
    spanlog.sign_head(now=now)


@job_task("audit.partitions")
def make_partitions(*, now: datetime) -> None:
    partitions.make_ahead(now.date())
