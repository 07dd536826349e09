from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Registers the receivers; models are there only now.
        from accounts import signals  # noqa: F401
        from jobs.schedule import every

        every("accounts.end_roles", seconds=60)
