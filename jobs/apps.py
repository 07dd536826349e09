from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

from jobs.schedule import every


class JobsConfig(AppConfig):
    name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        every("jobs.clean", seconds=600)
        # Whatever package cares about an event says so in its `handlers.py`.
        autodiscover_modules("handlers")
