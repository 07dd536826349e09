"""What every page knows, whatever it shows."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    name = settings.INSTANCE_NAME
    return {"site": {"name": name}, "site_name": name, "site_version": settings.VERSION}
