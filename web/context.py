"""What every page knows, whatever it shows."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    return {"site_name": settings.INSTANCE_NAME, "site_version": settings.VERSION}
