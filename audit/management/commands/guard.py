from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from audit import grants, guards


class Command(BaseCommand):
    help = (
        "Take the ledger out of everybody's hands: its tables go to a role that nobody signs in as, and event triggers "
        "refuse DDL against it. Needs a superuser in DATABASE_URL; may be run again at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--off", action="store_true", help="Give the tables back, for a migration of the ledger.")

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            if not grants.is_superuser(cursor):
                raise CommandError("This needs a superuser: set DATABASE_URL to one, for this command only.")
            if options["off"]:
                grants.unlock(cursor)
                self.stdout.write("The ledger's guards are lifted. Run manage.py guard when the migration is done.")
                return
            grants.lock(cursor)
        for sentence in guards.missing(connection):
            raise CommandError(sentence)
        self.stdout.write("The ledger is guarded.")
