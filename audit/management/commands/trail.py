"""`manage.py trail`: what an operator does with the request trail."""

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from audit import retention, spanlog
from audit.actors import SYSTEM
from audit.checkpoint import NoteError
from audit.models import LegalHold
from web.problems import Problem


class Command(BaseCommand):
    help = "Retention, legal hold and verification of the request trail."

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="part", required=True)
        keep = parts.add_parser("keep", help="say how long a system's requests and prompts are kept")
        keep.add_argument("system")
        keep.add_argument("--days", type=int, required=True)
        keep.add_argument("--payload-days", type=int, required=True)
        hold = parts.add_parser("hold", help="keep days whatever retention says")
        hold.add_argument("--system", default="", help="one system's prompts; every system where none is named")
        hold.add_argument("--since", type=date.fromisoformat, required=True)
        hold.add_argument("--until", type=date.fromisoformat, required=True)
        hold.add_argument("--reason", required=True)
        lift = parts.add_parser("lift", help="end a hold")
        lift.add_argument("hold")
        parts.add_parser("holds", help="list the holds that stand")
        parts.add_parser("remove", help="remove what retention no longer keeps")
        parts.add_parser("verify", help="compute the request log's signed heads again, from the first leaf")

    def handle(self, *args: Any, part: str, **options: Any) -> None:
        try:
            getattr(self, f"do_{part}")(**options)
        except (Problem, NoteError) as error:
            raise CommandError(str(error)) from error

    def do_keep(self, *, system: str, days: int, payload_days: int, **_: Any) -> None:
        retention.set_retention(system=system, days=days, payload_days=payload_days, by=SYSTEM, now=timezone.now())
        self.stdout.write(f"Requests of {system} are kept {days} days, their prompts and answers {payload_days}.")

    def do_hold(self, *, system: str, since: date, until: date, reason: str, **_: Any) -> None:
        made = retention.hold(system=system, since=since, until=until, reason=reason, by=SYSTEM, now=timezone.now())
        self.stdout.write(f"Held: {made.pk}")

    def do_lift(self, *, hold: str, **_: Any) -> None:
        retention.lift(hold_id=hold, by=SYSTEM, now=timezone.now())
        self.stdout.write("Lifted.")

    def do_holds(self, **_: Any) -> None:
        for row in LegalHold.objects.filter(lifted_at=None).order_by("since"):
            self.stdout.write(f"{row.pk}  {row.system or 'every system'}  {row.since} to {row.until}  {row.reason}")

    def do_remove(self, **_: Any) -> None:
        done = retention.remove_due(by=SYSTEM, now=timezone.now(), report=self.stdout.write)
        self.stdout.write(
            f"{done.payload_days} days of prompts and {done.days} days of spans removed, {done.held} days held."
        )

    def do_verify(self, *, verbosity: int, **_: Any) -> None:
        def report(done: int, size: int) -> None:
            if verbosity and self.stderr.isatty():
                self.stderr.write(f"\r{done:,} of {size:,} spans", ending="")

        heads, size = spanlog.verify_heads(report=report)
        self.stdout.write(f"{size:,} spans, {heads} signed heads: all verified.")
