from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils import timezone

from jobs.schedule import every


class ReleasesConfig(AppConfig):
    name = "releases"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        every("releases.watch_rollouts", seconds=30)
        every("releases.look_at_instructions", seconds=30)
        every("releases.judge_waiting", seconds=60)
        every("releases.ask_for_signatures", seconds=60)
        every("releases.look_at_evidence", seconds=60)
        post_migrate.connect(publish_standard, sender=self)


def publish_standard(**_: Any) -> None:
    """The shipped standard is published by migrating: a fresh installation has one before anybody signs in."""
    from releases.standard.published import publish_shipped  # models are there only now

    publish_shipped(now=timezone.now())
