"""The Celery application. What runs, and when, is in `jobs`: beat knows one entry, the tick."""

import os
import signal
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_process_init

from readiness import collector
from readiness.up.lineage import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "readiness.settings")

app = Celery("readiness")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def check_the_start(**_: Any) -> None:
    from readiness.checks import refuse_nonsense  # Django is set up by now, and not when this module loads

    refuse_nonsense()


@worker_process_init.connect
def settle(**_: Any) -> None:
    """A pool process outlives a killed worker by the rest of its task otherwise."""
    die_with_parent(signal.SIGKILL, parent=os.getppid())
    collector.settle()
