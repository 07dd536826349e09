"""Work for the tests, done by a real worker: each run leaves a line in a file, so that runs can be counted."""

import os
import time
from datetime import datetime
from pathlib import Path

from jobs.models import Event
from jobs.outbox import on
from jobs.queue import report
from jobs.tasks import job_task


def note(file: str, line: str) -> None:
    with Path(file).open("a") as runs:
        runs.write(line + "\n")


class Hopeless(Exception):
    permanent = True


@job_task("tests.work")
def work(*, now: datetime, file: str, seconds: float = 0, hang_first: bool = False) -> None:
    first = not Path(file).exists()
    note(file, f"start {os.getpid()}")
    report(40, "halfway")
    time.sleep(300 if hang_first and first else seconds)
    note(file, "end")


@job_task("tests.fail")
def fail(*, now: datetime, permanent: bool) -> None:
    raise Hopeless("It is not there.") if permanent else OSError("Not now.")


@on("tests.happened")
def first(event: Event) -> None:
    note(event.payload["file"], f"first {event.subject}")


@on("tests.happened")
def second(event: Event) -> None:
    if event.payload.get("break_second"):
        raise Hopeless("This handler has a fault.")
    note(event.payload["file"], f"second {event.subject}")


@on("tests.other")
def other(event: Event) -> None:
    note(event.payload["file"], f"other {event.subject}")


@on("jobs.gave-up.tests.fail")
def gave_up(event: Event) -> None:
    """Somebody listens: without, the event is not even written."""
