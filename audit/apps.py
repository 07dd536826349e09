from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AuditConfig(AppConfig):
    name = "audit"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from audit import grants
        from jobs.schedule import every

        # Django's own seam for what must follow migrations: tables that were just made get their grants.
        post_migrate.connect(grants.after_migrate, sender=self)
        every("audit.seal", seconds=5)
        every("audit.verify", seconds=24 * 3600)
        every("audit.sequence", seconds=5)
        every("audit.derive", seconds=5)
        every("audit.partitions", seconds=3600)
        every("audit.retention", seconds=3600)
