"""The sources of a system: list, form, one source with its pulls."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.forms import ChoiceField
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from jobs.models import Job
from metrics import pull
from metrics.actions import sources as act
from metrics.connecting import try_connection
from metrics.forms import FORMS, MeasureForm, SourceForm
from metrics.models import Pull, Source
from systems.views.shared import Visit, blame, visit
from web.paging import keyset_page
from web.problems import Problem

WINDOWS = 10


@require_GET
def sources(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    rows = Source.objects.filter(system=there.system, retired_at=None)
    return render(
        request,
        "metrics/sources.html",
        {
            "system": there.system,
            "tabs": there.tabs("metrics:system"),
            "crumbs": there.crumbs(),
            "sources": rows,
            "kinds": Source.Kind.choices,
            "reason": _manage_reason(there),
        },
    )


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest, slug: str, kind: str) -> HttpResponse:
    there = visit(request, slug)
    if kind not in FORMS:
        raise Http404
    form = FORMS[kind](request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = act.create_source(
                system=there.system, kind=kind, config=form.config(), by=there.user, now=there.now, **_given(form)
            )
        except Problem as problem:
            blame(form, problem)
        else:
            messages.success(request, f"{made.name} is there. Test its connection.")
            return redirect("metrics:source", slug, made.pk)
    return _form_page(request, there, form, title=f"New source: {Source.Kind(kind).label}")


@require_http_methods(["GET", "POST"])
def change(request: HttpRequest, slug: str, source_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    source = _source(there, source_id)
    form_type = FORMS[source.kind]
    kept = {"fresh_days": None, **form_type.shown(source.config)}
    initial = {"name": source.name, "schedule": source.schedule_seconds or "", **kept}
    form = form_type(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        given = _given(form)
        try:
            act.change_source(
                source=source,
                config=form.config(),
                by=there.user,
                now=there.now,
                **{**given, "secret": given["secret"] or None},
            )
        except Problem as problem:
            blame(form, problem)
        else:
            messages.success(request, "Saved.")
            return redirect("metrics:source", slug, source.pk)
    return _form_page(request, there, form, title=f"Change {source.name}", source=source)


@require_GET
def source(request: HttpRequest, slug: str, source_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    return _page(request, there, _source(there, source_id), {})


@require_POST
def test(request: HttpRequest, slug: str, source_id: UUID) -> HttpResponse:
    """Asks the source now and shows in words what was found."""
    there = visit(request, slug)
    found = _source(there, source_id)
    act.require_managing(there.user, found, now=there.now)
    findings = try_connection(found, now=there.now)
    found.refresh_from_db()
    return _page(request, there, found, {"findings": findings})


@require_POST
def pull_now(request: HttpRequest, slug: str, source_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found = _source(there, source_id)
    form = MeasureForm(request.POST)
    label = form.cleaned_data["release"] if form.is_valid() else ""
    ordered = pull.order_pull(source=found, by=there.user, now=there.now, release_label=label)
    messages.success(request, f"Asked for {', '.join(one.release_label for one in ordered)}.")
    return redirect("metrics:source", slug, found.pk)


@require_POST
def retire(request: HttpRequest, slug: str, source_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found = act.retire_source(source=_source(there, source_id), by=there.user, now=there.now)
    messages.success(request, f"{found.name} is retired. What it answered stays.")
    return redirect("metrics:sources", slug)


@require_GET
def pulled(request: HttpRequest, slug: str, pull_id: UUID) -> HttpResponse:
    """One pull as a fragment that asks for itself again while it runs."""
    there = visit(request, slug)
    found = get_object_or_404(Pull.objects.select_related("source", "run"), pk=pull_id, source__system=there.system)
    job = Job.objects.filter(key=found.run_key).first()
    return render(request, "metrics/parts/pull.html", {"system": there.system, "pull": found, "job": job})


def _page(request: HttpRequest, there: Visit, found: Source, more: dict[str, Any]) -> HttpResponse:
    page = keyset_page(
        found.pulls.select_related("run"), order=("-started_at", "-pk"), cursor=request.GET.get("cursor"), size=20
    )
    jobs = {job.key: job for job in Job.objects.filter(key__in=[one.run_key for one in page.items])}
    targets = found.targets.filter(ended_at=None)
    return render(
        request,
        "metrics/source.html",
        {
            "system": there.system,
            "source": found,
            "tabs": there.tabs("metrics:system"),
            "crumbs": there.crumbs(("Sources", reverse("metrics:sources", args=[there.system.slug]))),
            "page": page,
            "pulls": [(one, jobs.get(one.run_key)) for one in page.items],
            "windows": [] if found.gives_evaluations else found.windows.order_by("-pk")[:WINDOWS],
            "settings": _settings(found),
            "targets": targets,
            "form": MeasureForm(),
            "reason": _manage_reason(there),
            "pull_reason": _pull_reason(there, found, bool(targets)),
            **more,
        },
    )


def _settings(found: Source) -> list[tuple[str, Any]]:
    """Its settings as the form names and shows them; one that the form does not know, by its own name."""
    form_type = FORMS[found.kind]
    fields = form_type().fields
    shown = form_type.shown(found.config)
    labels = {name: str(field.label or name.replace("_", " ").capitalize()) for name, field in fields.items()}
    choices: dict[str, Any] = {name: field.choices for name, field in fields.items() if isinstance(field, ChoiceField)}
    return [
        (labels.get(name, name), dict(choices.get(name, ())).get(value, value))
        for name, value in shown.items()
        if value not in ("", None)
    ]


def _form_page(
    request: HttpRequest, there: Visit, form: SourceForm, *, title: str, source: Source | None = None
) -> HttpResponse:
    return render(
        request,
        "metrics/source_form.html",
        {
            "system": there.system,
            "crumbs": there.crumbs(("Sources", reverse("metrics:sources", args=[there.system.slug]))),
            "title": title,
            "form": form,
            "source": source,
            "reason": _manage_reason(there),
        },
        status=422 if form.errors else 200,
    )


def _given(form: SourceForm) -> dict[str, Any]:
    schedule = form.cleaned_data.get("schedule")
    return {
        "name": form.cleaned_data["name"],
        "secret": form.cleaned_data.get("secret", ""),
        "schedule_seconds": int(schedule) if schedule else None,
    }


def _source(there: Visit, source_id: UUID) -> Source:
    return get_object_or_404(Source.objects.select_related("system"), pk=source_id, system=there.system)


def _manage_reason(there: Visit) -> str:
    return act.managing_refusal(there.person.roles)


def _pull_reason(there: Visit, found: Source, has_targets: bool) -> str:
    if reason := _manage_reason(there):
        return reason
    if found.retired_at:
        return "It is retired: it is asked no more."
    if found.gives_evaluations and not has_targets:
        return "No release waits for it: open one and pin its dataset."
    return ""
