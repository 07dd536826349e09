import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from audit import canonical
from releases.decisions import Unreadable, decision_body, replay
from releases.models import Decision


class Command(BaseCommand):
    help = (
        "Run the gate again on every stored decision, each with the version that decided, and compare to the byte. "
        "Exit code 0: all as they were; 1: some are not, and each is named."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--system", default="", help="only decisions of this system")

    def handle(self, *args: Any, system: str, **options: Any) -> None:
        decisions = Decision.objects.select_related("release__system").order_by("decided_at", "pk")
        if system:
            decisions = decisions.filter(release__system__slug=system)
        count = wrong = 0
        for decision in decisions.iterator(chunk_size=200):
            count += 1
            if problem := problem_of(decision):
                wrong += 1
                self.stdout.write(f"{decision.pk}  {decision.release.system.slug}:{decision.release.label}  {problem}")
        self.stdout.write(f"{count} decisions replayed, {wrong} of them not as they were.")
        if wrong:
            sys.exit(1)


def problem_of(decision: Decision) -> str:
    """Why the decision is not what was decided; empty: it is, to the byte."""
    if canonical.digest(decision_body(decision)) != decision.digest:
        return "what is stored does not have its digest any more"
    try:
        return "" if replay(decision)[1] else f"gate {decision.gate_version} says something else"
    except Unreadable as error:
        return str(error)
