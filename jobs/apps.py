from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Models are there only now; the schedule itself is plain data.
        from jobs.schedule import every

        every("jobs.clean", seconds=600)
