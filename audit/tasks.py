"""Work of the record in the background."""

from datetime import datetime

from audit import sealing, verification
from jobs.queue import report
from jobs.tasks import job_task


@job_task("audit.seal")
def seal(*, now: datetime) -> None:
    sealing.seal(now=now)


@job_task("audit.verify")
def verify(*, now: datetime) -> None:
    """Once a day from the first entry: bits flip in old rows too, and nobody reads those."""
    for step in verification.verify_log(report=lambda count: report(0, f"{count:,} entries")):
        if not step.ok:
            reason = f"{step.name}: {step.detail}"
            sealing.stop(reason, now=now)
            raise sealing.SealRefused(reason)
