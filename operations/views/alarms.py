from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from operations.actions import alarms as act
from operations.models import Notification
from operations.views.shared import visit


@require_POST
def acknowledge(request: HttpRequest, slug: str, notification_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found = get_object_or_404(Notification, pk=notification_id, system=there.system)
    act.acknowledge(notification=found, by=there.user, now=there.now)
    messages.success(request, "You have it: it is not escalated.")
    return redirect("operations:system", slug)
