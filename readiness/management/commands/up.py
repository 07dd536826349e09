import sys
from typing import Any

from django.core.management.base import BaseCommand

from readiness.up.command import main


class Command(BaseCommand):
    """Listed here so that `manage.py help` shows it. manage.py runs it before settings exist."""

    help = "Run Readiness on this machine: database, broker, web, worker and beat, until Ctrl-C."
    requires_system_checks: list[str] = []

    def run_from_argv(self, argv: list[str]) -> None:
        sys.exit(main(argv[2:]))

    def handle(self, *args: Any, **options: Any) -> None:
        raise NotImplementedError("`up` runs from the command line only.")
