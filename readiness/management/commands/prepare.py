import json
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from accounts.actions.setup import setup_link
from audit import guards


class Command(BaseCommand):
    help = "Bring the database to this version: migrations and the cache table. Runs as the owner of the tables."
    requires_system_checks: list[str] = []  # some of them look at what this makes

    def handle(self, *args: Any, **options: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")  # a migration takes as long as it takes
        executor = MigrationExecutor(connection)
        waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        # The cache table first: what follows the migrations gives the application its rights on every table there is.
        call_command("createcachetable", verbosity=0)
        call_command("migrate", interactive=False, verbosity=0)
        done = {
            "migrations": waiting,
            "guards": guards.advice(connection),
            "setup_link": setup_link(timezone.now()),
        }
        self.stdout.write(json.dumps(done))
