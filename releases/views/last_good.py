"""The last known good release, as runbooks link to it: what a rollback would restore, read at this moment."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from releases.queries import last_good
from systems.views.shared import visit


@never_cache
@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    found = last_good(there.system)
    if found is None:
        messages.warning(request, "No earlier release was live: a rollback stops the system, and its fallback serves.")
        return redirect("releases:system", slug)
    messages.success(request, f"{found.label} is the last known good release: a rollback restores it.")
    return redirect("releases:detail", slug, found.label)
