from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import User
from accounts.totp import code_at
from demo.notes import Notes
from demo.project import PEOPLE, Builder, email


class Command(BaseCommand):
    help = "Makes the demo project, once; with --codes, says the one-time codes of its people now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--codes", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        folder = settings.DATA_DIR
        if Notes.path(folder).exists():
            notes = Notes.load(folder)
        elif User.objects.filter(is_demo=True).exists():
            raise CommandError(f"An earlier demo was not finished. Remove {folder} and start again.")
        else:
            notes = Builder(folder, settings.BASE_URL, timezone.now(), self.stderr.write).build()
        if options["codes"]:
            self.say_codes(notes)
        else:
            self.stdout.write(
                f"Demo: sign in as {email('engineer2')} (or another of its people), password {notes.password}\n"
                "One-time codes of everybody: bin/demo-codes"
            )

    def say_codes(self, notes: Notes) -> None:
        now = timezone.now()
        self.stdout.write(f"Password of everybody: {notes.password}")
        for who, (name, role) in PEOPLE.items():
            self.stdout.write(f"{code_at(notes.totp[who], now)}  {email(who):24} {name}, {role}")
