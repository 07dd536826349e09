from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from audit.export import write_export
from web.problems import Problem


class Command(BaseCommand):
    help = "Write the decision log, up to its last checkpoint, as a zip that `python -m audit.verify` checks offline."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            size = write_export(options["path"], now=timezone.now())
        except Problem as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"{size} entries in {options['path']}. Verify with: python -m audit.verify {options['path']}")
