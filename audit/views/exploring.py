"""Beside the list of requests: counts that narrow it, views that keep it, files that hold it."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_POST

from audit import explorer, facets, handout, saved
from web.problems import Forbidden


@require_GET
def counts(request: HttpRequest) -> HttpResponse:
    """The facets of a search: fetched by the list once it stands, and a page of its own without JavaScript."""
    query, now = request.GET.get("q", "").strip(), timezone.now()
    found = explorer.search(query, systems=explorer.readable_systems(_user(request)), now=now)
    context = {
        "facets": facets.facets(found),
        "assumed": found.assumed,
        "list_url": reverse("audit:requests"),
        "query": query,
    }
    template = "audit/facets.html" if request.headers.get("HX-Request") else "audit/facets_page.html"
    return render(request, template, context)


@require_POST
def export(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """A POST, because it leaves an entry."""
    return hand_out(
        _user(request),
        query=request.POST.get("q", "").strip(),
        format_name=request.POST.get("format", ""),
        systems=explorer.readable_systems(_user(request)),
    )


def hand_out(user: Any, *, query: str, format_name: str, systems: list[str]) -> StreamingHttpResponse:
    """The file of a search. With prompts and answers it holds the systems only whose payloads this person may read."""
    now, kind = timezone.now(), handout.format_of(format_name)
    if kind.content:
        systems = [slug for slug in systems if user.has_perm("audit.payload", slug)]
        if not systems:
            raise Forbidden("Prompts and answers are for auditors, or the role that the system's data policy names.")
    found = explorer.search(query, systems=systems, now=now)
    lines = handout.export(found, format_name=format_name, query=query, by=user, now=now)
    response = StreamingHttpResponse(lines, content_type=kind.media_type)
    name = f"requests-{now:%Y%m%dT%H%M%SZ}.{kind.extension}"
    response["Content-Disposition"] = content_disposition_header(True, name) or ""
    return response


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    query = request.POST.get("q", "")
    view = saved.save_view(
        name=request.POST.get("name", ""),
        query=query,
        shared=request.POST.get("shared") == "on",
        by=_user(request),
        now=timezone.now(),
    )
    messages.success(request, f"The view “{view.name}” is kept.")
    return redirect(f"{reverse('audit:requests')}?{urlencode({'q': view.query})}")


@require_POST
def remove(request: HttpRequest, view_id: UUID) -> HttpResponse:
    saved.remove_view(view_id=view_id, by=_user(request), now=timezone.now())
    messages.success(request, "The view is gone.")
    return redirect("audit:requests")


def _user(request: HttpRequest) -> Any:
    return request.user
