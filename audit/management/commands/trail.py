"""`manage.py trail`: what an operator does with the request trail."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from audit import derivation, explorer, handout, history, parquet, partitions, retention, spanlog
from audit.actors import SYSTEM
from audit.checkpoint import NoteError
from audit.management.progress import Progress
from audit.models import LegalHold, SpanBatch, SpanCheckpoint, SpanLog
from web.problems import Problem


class Command(BaseCommand):
    help = "The request trail: import, seal, sum up, export, keep, hold, remove, verify."

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="part", required=True)
        parts.add_parser("status", help="how much there is, and what waits")
        days = parts.add_parser("days", help="make the days' partitions, which the worker also does ahead of time")
        days.add_argument("--since", type=date.fromisoformat)
        days.add_argument("--until", type=date.fromisoformat)
        taken = parts.add_parser("import", help="take in spans of before: lines of OTLP/JSON or of our own plain form")
        taken.add_argument("files", nargs="+", type=Path)
        taken.add_argument("--system", required=True)
        taken.add_argument("--environment", default="production")
        parts.add_parser("seal", help="number the spans that wait, and sign the log now")
        parts.add_parser("derive", help="sum up what is numbered, now")
        export = parts.add_parser("export", help="write what a search finds, as the page does")
        export.add_argument("file", type=Path)
        export.add_argument("--format", choices=list(handout.FORMATS), default="jsonl")
        export.add_argument("--query", default="", help="key:value words, as on the page")
        columns = parts.add_parser("parquet", help="write whole sealed days as Parquet, with a manifest")
        columns.add_argument("folder", type=Path)
        columns.add_argument("--since", type=date.fromisoformat, default=date.min)
        columns.add_argument("--until", type=date.fromisoformat, default=date.max)
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
        parts.add_parser("remove", help="remove what retention no longer keeps, which the worker also does every hour")
        parts.add_parser("verify", help="compute the request log's signed heads again, from the first leaf")

    def handle(self, *args: Any, part: str, **options: Any) -> None:
        try:
            getattr(self, f"do_{part}")(**options)
        except (Problem, NoteError, spanlog.NotSigned) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from error

    def progress(self, what: str, unit: str = "") -> Progress:
        return Progress(self.stderr, what, unit=unit)

    def do_status(self, **_: Any) -> None:
        log, last = SpanLog.objects.get(), SpanCheckpoint.objects.order_by("size").last()
        waiting = _waiting()
        signed = f"{last.size:,}, on {last.signed_at:%Y-%m-%d %H:%M:%S} UTC" if last else "none"
        days = parquet.days_there()
        self.stdout.write(f"numbered   {log.size:,} spans; {waiting:,} wait for their place")
        self.stdout.write(f"signed     {signed}")
        self.stdout.write(f"summed up  {log.derived_to:,}")
        self.stdout.write(f"days       {len(days)}" + (f", {days[0]} to {days[-1]}" if days else ""))
        self.stdout.write(f"holds      {LegalHold.objects.filter(lifted_at=None).count()}")

    def do_days(self, *, since: date | None, until: date | None, **_: Any) -> None:
        today = timezone.now().date()
        first, last = since or today, until or today + timedelta(days=partitions.AHEAD)
        if last < first:
            raise CommandError("The last day is before the first.")
        show, days = self.progress("days"), [first + timedelta(days=step) for step in range((last - first).days + 1)]
        made = 0
        for number, day in enumerate(days, start=1):
            made += partitions.make([day])
            show(number, len(days))
        self.stdout.write(f"{made} days made, {len(days) - made} were there.")

    def do_import(self, *, files: list[Path], system: str, environment: str, **_: Any) -> None:
        for path in files:
            done = history.import_file(
                path,
                system=system,
                environment=environment,
                by=SYSTEM,
                now=timezone.now(),
                report=self.progress(path.name, "bytes"),
            )
            self.stdout.write(f"{path.name}: {done.stored:,} spans stored, {done.repeated:,} were there.")
            for reason, count in sorted(done.refused.items()):
                self.stdout.write(f"  {count:,} not stored: {reason}")

    def do_seal(self, **_: Any) -> None:
        show, waiting = self.progress("numbered", "spans"), _waiting()
        numbered = spanlog.sequence(now=timezone.now(), report=lambda done: show(done, max(done, waiting)))
        head = spanlog.sign_head(now=timezone.now())
        self.stdout.write(
            f"{numbered:,} spans numbered; " + (f"signed up to {head.size:,}." if head else "no new head.")
        )

    def do_derive(self, **_: Any) -> None:
        begun, size = SpanLog.objects.get().derived_to, SpanLog.objects.get().size
        show, written = self.progress("summed up", "spans"), 0
        while done := derivation.derive(now=timezone.now(), at_most=1):
            written += done
            show(SpanLog.objects.get().derived_to - begun, size - begun)
        self.stdout.write(f"{written:,} requests written.")

    def do_export(self, *, file: Path, format: str, query: str, **_: Any) -> None:
        found = explorer.search(query, systems=explorer.systems_with_traffic(), now=timezone.now())
        whole, size = found.rows.count(), 0
        show = self.progress(file.name, "requests")
        part = file.with_name(f"{file.name}.part")
        with part.open("wb") as out:
            for piece in handout.export(
                found,
                format_name=format,
                query=query,
                by=SYSTEM,
                now=timezone.now(),
                report=lambda done: show(done, max(done, whole)),
            ):
                size += out.write(piece)
        part.replace(file)
        self.stdout.write(f"{file}: {whole:,} requests found, {size:,} bytes written.")

    def do_parquet(self, *, folder: Path, since: date, until: date, **_: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        written = 0
        for day in (day for day in parquet.days_there() if since <= day <= until):
            count = parquet.export_day(
                day, folder, by=SYSTEM, now=timezone.now(), report=self.progress(f"{day}", "spans")
            )
            written += bool(count)
            self.stdout.write(f"{day}: {count:,} spans")
        self.stdout.write(f"{written} files in {folder}.")

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

    def do_verify(self, **_: Any) -> None:
        heads, size = spanlog.verify_heads(report=self.progress("verified", "spans"))
        self.stdout.write(f"{size:,} spans, {heads} signed heads: all verified.")


def _waiting() -> int:
    return sum(SpanBatch.objects.filter(first_index=None).values_list("count", flat=True))
