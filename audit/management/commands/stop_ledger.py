from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from audit.models import Head
from audit.sealing import LOG, stop


class Command(BaseCommand):
    requires_system_checks = []  # they load every page of the product; whoever runs this is in a hurry
    help = (
        "Freeze the ledger: it takes no entries, so nothing can be decided, signed or started until "
        "`manage.py resume_ledger`. Reading, exporting and verifying go on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reason", required=True, help="Why; every page shows it.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["reason"].strip():
            raise CommandError("Say why: every page shows it.")
        if reason := Head.objects.get(log=LOG).read_only:
            raise CommandError(f"The ledger is stopped already: {reason}")
        stop(options["reason"].strip(), now=timezone.now())
        self.stdout.write("The ledger takes no entries. To go on: manage.py resume_ledger --reason ...")
