import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from django.utils import timezone

from audit import ledger
from audit.actors import SYSTEM
from audit.models import Head
from audit.sealing import LOG
from audit.verification import verify_log


class Command(BaseCommand):
    requires_system_checks = []  # they load every page of the product; whoever runs this is in a hurry
    help = (
        "Let a stopped ledger take entries again. It is verified in full first, and stays stopped where anything is "
        "wrong; the reason is recorded. Runs as the owner of the tables."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reason", required=True, help="What was wrong, and what was done about it.")

    def handle(self, *args: Any, **options: Any) -> None:
        head = Head.objects.get(log=LOG)
        if not head.read_only:
            raise CommandError("The ledger is not stopped.")
        failed = [step for step in verify_log() if not step.ok]
        for step in failed:
            self.stderr.write(self.style.ERROR(f"{step.name}: {step.detail}"))
        if failed:
            self.stderr.write(
                "The ledger stays read-only. Restore the database that fits the checkpoint outside of it."
            )
            sys.exit(1)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT audit_resume()")
            ledger.append(
                kind="ledger.resumed",
                by=SYSTEM,
                subject=f"log:{LOG}",
                now=timezone.now(),
                payload={"stopped": head.read_only, "reason": options["reason"]},
                via="command",
            )
        self.stdout.write("The ledger takes entries again.")
