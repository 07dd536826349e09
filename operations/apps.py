from django.apps import AppConfig

from jobs.schedule import every


class OperationsConfig(AppConfig):
    name = "operations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from operations import handlers  # noqa: F401 -- registers what listens; models are there only now

        every("operations.watch_budgets", seconds=10)
        every("operations.order_deliveries", seconds=10)
        every("operations.watch_health", seconds=60)
        every("operations.escalate", seconds=60)
        every("operations.look_at_reviews", seconds=300)
        every("operations.run_drills", seconds=10)
        every("operations.remind", seconds=300)
