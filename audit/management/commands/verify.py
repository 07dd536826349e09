import sys
from argparse import ArgumentParser
from itertools import chain
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError

from audit.request_verification import verify_requests, verify_spans
from audit.verification import verify_log


class Command(BaseCommand):
    requires_system_checks = []  # they load every page of the product, which takes as long as verifying 100,000 entries
    help = (
        "Verify the record: the decision log from each payload to the signed root, with guards and signatures, and the "
        "request log from each leaf to every head that was signed. "
        "Exit code 0: verified; 1: something is wrong (the first bad entry is named); 3: cannot decide."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since-checkpoint",
            action="store_true",
            help="Only what came after the checkpoints outside the database (seconds, for every few minutes).",
        )

        parser.add_argument(
            "--spans",
            action="store_true",
            help="Also read every stored span and compare it with its leaf: names each that was changed (minutes).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        failed = []
        try:
            recent = options["since_checkpoint"]
            walked = chain(
                verify_log(since_checkpoint=recent, report=self.report),
                verify_requests(heads=not recent, report=self.report_spans),
                (verify_spans(report=self.report_spans) for _ in range(options["spans"])),
            )
            for number, step in enumerate(walked, start=1):
                mark = self.style.SUCCESS("ok  ") if step.ok else self.style.ERROR("FAIL")
                self.stdout.write(f"{number}. {mark} {step.name}: {step.detail}")
                if not step.ok:
                    failed.append(step)
        except DatabaseError as error:
            self.stderr.write(f"Cannot decide: the database did not answer ({str(error).strip()}).")
            sys.exit(3)
        if failed:
            indexes = [step.index for step in failed if step.index is not None]
            first = f" First bad entry: {min(indexes)}." if indexes else ""
            self.stdout.write(self.style.ERROR(f"The record is NOT verified.{first}"))
            sys.exit(1)
        since = " since its last checkpoint; without --since-checkpoint from its first entry"
        self.stdout.write(self.style.SUCCESS(f"The record is verified{since if options['since_checkpoint'] else ''}."))

    def report(self, count: int) -> None:
        if count and self.stderr.isatty():
            self.stderr.write(f"   {count:,} entries", ending="\r")

    def report_spans(self, done: int, size: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"   {done:,} of {size:,} spans", ending="\r")
