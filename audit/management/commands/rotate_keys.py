from typing import Any

from django.core.management.base import BaseCommand

from audit.rotation import rotate


class Command(BaseCommand):
    help = (
        "Move everything that is encrypted to the newest of READINESS_ENCRYPTION_KEYS. Put the new key in front, "
        "restart, run this, then take the old key away."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        moved = rotate()
        self.stdout.write("Moved to the newest key: " + ", ".join(f"{count} {what}" for what, count in moved.items()))
