from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import User
from systems.importing import import_checkout
from web.problems import Problem


class Command(BaseCommand):
    help = "Drafts versions of components from a commit of a git checkout, as its manifest lists them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("repository", type=Path)
        parser.add_argument("--revision", default="HEAD", help="a commit, a branch or a tag")
        parser.add_argument("--manifest", default="readiness.yaml", help="its path inside the repository")
        parser.add_argument("--by", required=True, help="e-mail address of the person who is their author")
        parser.add_argument("--draft", action="store_true", help="do not hand them over for review yet")

    def handle(self, *args: Any, **options: Any) -> None:
        by = User.objects.filter(email__iexact=options["by"], is_active=True).first()
        if by is None:
            raise CommandError(f"Nobody here has the address {options['by']}.")
        try:
            done = import_checkout(
                repository=options["repository"],
                revision=options["revision"],
                manifest=options["manifest"],
                by=by,
                now=timezone.now(),
                submit=not options["draft"],
            )
        except Problem as problem:
            raise CommandError("\n".join(problem.reasons or (problem.detail,))) from problem
        for one in done:
            what = f"version {one.version.number}, {one.version.sha256}" if one.version else "unchanged"
            self.stdout.write(f"{one.component}: {what}")
