from django.apps import AppConfig

from jobs.schedule import every


class MetricsConfig(AppConfig):
    name = "metrics"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        every("metrics.pull_due", seconds=10)
        every("metrics.report_drift", seconds=3600)
