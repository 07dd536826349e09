from django.apps import AppConfig

from jobs.schedule import every


class AccountsConfig(AppConfig):
    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts import signals  # noqa: F401 -- registers the receivers; models are there only now

        every("accounts.end_roles", seconds=60)
