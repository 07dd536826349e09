"""Components and their versions: what they say, how they differ, and who approves them."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from systems import actions, rules
from systems.content import shown
from systems.errors import InvalidInput, Refused
from systems.forms import CompatibilityForm, ReviewForm, VersionForm
from systems.history import history
from systems.kinds import Kind
from systems.models import Component, Version
from systems.registry import content_of, is_intact, silent_consumers, version_state
from systems.rules import Reason, VersionState
from systems.views import consumers
from systems.views.shared import Visit, blame, said, visit
from web.problems import NotFound

# Longer texts are downloaded, not shown.
SHOWN_BYTES = 200 * 1024
SANDBOX = "sandbox; default-src 'none'"


def _component(there: Visit, kind: str, name: str) -> Component:
    return get_object_or_404(Component.objects.select_related("system"), system=there.system, kind=kind, name=name)


def _version(there: Visit, kind: str, name: str, number: int) -> Version:
    found = Version.objects.select_related("component__system", "author", "reviewer")
    return get_object_or_404(found, component=_component(there, kind, name), number=number)


@require_safe
def by_digest(request: HttpRequest, slug: str, digest: str) -> HttpResponse:
    """From a digest that a request carries to the version that has it: the newest, where a text came back."""
    there = visit(request, slug)
    versions = Version.objects.select_related("component").filter(component__system=there.system, sha256=digest)
    found = versions.order_by("-created_at").first()
    if found is None:
        raise NotFound("No version of this system has that digest.")
    return redirect("systems:version", slug, found.component.kind, found.component.name, found.number)


@require_safe
def component(request: HttpRequest, slug: str, kind: str, name: str) -> HttpResponse:
    there = visit(request, slug)
    found = _component(there, kind, name)
    context = {
        "system": there.system,
        "component": found,
        "crumbs": there.crumbs(),
        "versions": list(
            found.versions.defer("content").select_related("author", "reviewer").order_by("-number")[:200]
        ),
        "draft_reason": said(rules.draft_version(there.person, component_retired=found.retired_at is not None)),
        "retire_reason": said(rules.edit(there.person)),
        "consumers": consumers.consumers(there, found),
        "history": history(f"component:{found.pk}"),
    }
    return render(request, "systems/component.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def draft(request: HttpRequest, slug: str, kind: str, name: str) -> HttpResponse:
    """The form of the next version; a POST makes it, and hands it over for review where that was asked."""
    there = visit(request, slug)
    found = _component(there, kind, name)
    newest = found.versions.order_by("-number").first()
    text = ""
    if newest is not None and kind != Kind.DATASET and newest.size <= SHOWN_BYTES:
        text = content_of(newest).decode("utf-8", errors="replace")
    form = VersionForm(request.POST or None, request.FILES or None, kind=kind, newest=text)
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.draft_version(
                component=found,
                content=form.content(),
                meta=form.meta(),
                note=form.cleaned_data["note"],
                by=there.user,
                now=there.now,
            )
            if "submit" in request.POST:
                actions.submit_version(version=made, by=there.user, now=there.now)
        except (InvalidInput, Refused) as problem:
            blame(form, problem)
        else:
            messages.success(request, f"Version {made.number} is made.")
            return redirect("systems:version", slug=slug, kind=kind, name=name, number=made.number)
    context = {
        "system": there.system,
        "component": found,
        "newest": newest,
        "crumbs": there.crumbs((f"{found.get_kind_display()} {found.name}", _url(found))),
        "form": form,
        "reason": said(rules.draft_version(there.person, component_retired=found.retired_at is not None)),
    }
    return render(request, "systems/draft.html", context, status=422 if form.errors else 200)


@require_POST
def retire_component(request: HttpRequest, slug: str, kind: str, name: str) -> HttpResponse:
    there = visit(request, slug)
    found = _component(there, kind, name)
    actions.retire_component(component=found, by=there.user, now=there.now)
    messages.success(request, f"{found.name} is retired: releases need not pin it any more.")
    return redirect(_url(found))


@require_safe
def version(request: HttpRequest, slug: str, kind: str, name: str, number: int) -> HttpResponse:
    there = visit(request, slug)
    found = _version(there, kind, name, number)
    data = content_of(found)
    before = _before(found, request.GET.get("with", ""))
    context = {
        "system": there.system,
        "component": found.component,
        "version": found,
        "crumbs": there.crumbs((f"{found.component.get_kind_display()} {name}", _url(found.component))),
        "text": shown(kind, data)
        if len(data) <= SHOWN_BYTES and found.media_type != "application/octet-stream"
        else None,
        "intact": is_intact(found, data),
        "facts": _facts(found.meta),
        "before": before,
        "before_text": _text(before) if before else None,
        "label": f"v{found.number}",
        "before_label": f"v{before.number}" if before else "",
        "others": found.component.versions.exclude(pk=found.pk)
        .values_list("number", flat=True)
        .order_by("-number")[:50],
        "review_form": ReviewForm(),
        "compatibility": consumers.compatibility(there, found),
        "has_consumers": found.component.consumers.filter(ended_at=None).exists(),
        "silent": silent_consumers(found),
        "why_not": {act: said(reasons) for act, reasons in _reasons(there, version_state(found)).items()},
        "history": history(f"version:{found.pk}"),
    }
    return render(request, "systems/version.html", context)


def _facts(meta: dict[str, Any]) -> list[tuple[str, str]]:
    """What was read out of the content, in words. Tags that were counted are not listed twice."""

    def words(value: Any) -> str:
        if isinstance(value, dict):
            return ", ".join(f"{name} {words(inner)}" for name, inner in value.items())
        if isinstance(value, list):
            return ", ".join(map(words, value))
        return str(value)

    shown_names = [name for name in meta if not (name == "tags" and "tag_counts" in meta)]
    return [
        (name.replace("tag_counts", "tags").replace("_", " ").capitalize(), words(meta[name])) for name in shown_names
    ]


def _reasons(there: Visit, state: VersionState) -> dict[str, list[Reason]]:
    return {
        "submit": rules.submit(there.person, state),
        "review": rules.review(there.person, state),
        "approve": rules.approve(there.person, state),
        "deprecate": rules.deprecate(there.person, state),
        "retire": rules.retire(there.person, state, now=there.now),
    }


def _before(version: Version, asked: str) -> Version | None:
    """What it is compared with: the version asked for, else the newest one approved before it, else the one before."""
    others = version.component.versions.select_related("component")
    if asked:
        if not asked.isascii() or not asked.isdigit() or len(asked) > 9:
            raise NotFound("There is no such version to compare with.")
        return get_object_or_404(others, number=int(asked))
    earlier = others.filter(number__lt=version.number).order_by("-number")
    return earlier.filter(state__in=Version.REVIEWED).first() or earlier.first()


def _text(version: Version) -> str | None:
    if version.size > SHOWN_BYTES or version.media_type == "application/octet-stream":
        return None
    return shown(version.component.kind, content_of(version))


@require_safe
def content(request: HttpRequest, slug: str, kind: str, name: str, number: int) -> HttpResponse:
    """The bytes as they were uploaded. Served so that no browser ever runs them."""
    there = visit(request, slug)
    found = _version(there, kind, name, number)
    response = HttpResponse(content_of(found), content_type="application/octet-stream")
    ending = {"application/jsonl": "jsonl", "text/csv": "csv", "text/plain; charset=utf-8": "txt"}
    suffix = ending.get(found.media_type, "json" if "json" in found.media_type else "bin")
    response["Content-Disposition"] = f'attachment; filename="{name}-v{number}.{suffix}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = SANDBOX
    response["Digest-Of-Canonical-Form"] = found.sha256
    return response


@require_POST
def act(request: HttpRequest, slug: str, kind: str, name: str, number: int, act: str) -> HttpResponse:
    """Submitting, reviewing, ending a version. What is refused is told by the action."""
    there = visit(request, slug)
    found = _version(there, kind, name, number)
    note = request.POST.get("note", "")
    if len(note) > 4000:
        raise InvalidInput("The note has at most 4,000 characters.")
    who: dict[str, Any] = {"version": found, "by": there.user, "now": there.now}
    acts: dict[str, tuple[Callable[[], Version], str]] = {
        "submit": (lambda: actions.submit_version(**who), "It waits for a second person's review."),
        "approve": (lambda: actions.approve_version(**who, note=note), "Approved: releases can pin it."),
        "send-back": (lambda: actions.send_back_version(**who, note=note), "Sent back to its author."),
        "compatibility": (
            lambda: actions.write_compatibility(**who, **_compatibility(request)),
            "Its note is written.",
        ),
        "deprecate": (
            lambda: actions.deprecate_version(**who, days=_days(request)),
            "Deprecated: whoever uses it is asked to move on.",
        ),
        "retire": (lambda: actions.retire_version(**who), "Retired: no release can pin it any more."),
    }
    if act not in acts:
        raise NotFound("There is nothing like that to do with a version.")
    do, done = acts[act]
    do()
    messages.success(request, f"Version {number}: {done[0].lower()}{done[1:]}")
    return redirect("systems:version", slug=slug, kind=kind, name=name, number=number)


def _compatibility(request: HttpRequest) -> dict[str, Any]:
    form = CompatibilityForm(request.POST)
    if not form.is_valid():
        raise InvalidInput("A compatibility note has a text, and a window of 1 to 730 days.")
    return {"text": form.cleaned_data["text"], "window_days": form.cleaned_data["window_days"]}


def _days(request: HttpRequest) -> int:
    raw = request.POST.get("days", "") or "0"
    if not raw.isascii() or not raw.isdigit() or len(raw) > 3:
        raise InvalidInput("The deprecation window is a number of days.")
    return int(raw)


def _url(found: Component) -> str:
    return reverse("systems:component", args=[found.system.slug, found.kind, found.name])
