from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from accounts.access import require_member
from systems.models import System
from web.api import ApiView

CURSOR = OpenApiParameter("cursor", str, description="What `next` of the page before said.")


class SystemView(ApiView):
    """Finds the system that the path names, for a caller who holds a role on it."""

    def system(self, request: Request, slug: str) -> System:
        require_member(request, slug)
        return get_object_or_404(System, slug=slug)
