"""Pages of a release: list, open, the release itself, setup, questions, history."""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import person as signed_in
from accounts.access import require_member, visible_systems
from audit import ledger
from metrics.models import Source
from releases import presenting, rules
from releases.actions import checklist, opening, rollout
from releases.decisions import Standing, standing
from releases.errors import InvalidInput
from releases.facts import judge_rollout
from releases.gate.types import Question
from releases.models import Release, Rollout
from releases.people import person
from releases.queries import release_of, visible_releases
from releases.standard.published import definition_of
from systems.models import System, Version
from web.filters import parse_tokens
from web.paging import keyset_page

ITEM_TOKENS = ("status", "owner", "section", "phase", "is")


def find(request: HttpRequest, slug: str, label: str) -> Release:
    """The release, for somebody who holds a role on its system."""
    require_member(request, slug)
    return release_of(System.objects.get(slug=slug), label)


@require_GET
def listing(request: HttpRequest, slug: str = "") -> HttpResponse:
    """Releases of all systems that the person sees, or of one."""
    now = timezone.now()
    releases = visible_releases(visible_systems(request, now=now))
    system = None
    if slug:
        require_member(request, slug)
        system = System.objects.get(slug=slug)
        releases = releases.filter(system=system)
    query = parse_tokens(request.GET.get("q", ""), ("state", "system"))
    if states := query.tokens.get("state"):
        releases = releases.filter(state__in=states)
    if slugs := query.tokens.get("system"):
        releases = releases.filter(system__slug__in=slugs)
    if query.text:
        releases = releases.filter(label__icontains=query.text)
    page = keyset_page(releases, order=("-opened_at", "-pk"), cursor=request.GET.get("cursor"), size=30)
    shown = [(release, standing(release, question_now(release), now=now)) for release in page.items]
    return render(request, "releases/list.html", {"page": page, "rows": shown, "query": query, "system": system})


def question_now(release: Release) -> Question:
    """The question that matters now: may it meet its first users, and after that, may it serve everybody?"""
    return Question.CANARY if release.state in Release.OPEN else Question.RELEASE


@require_http_methods(["GET", "POST"])
def open_release(request: HttpRequest, slug: str) -> HttpResponse:
    require_member(request, slug)
    system = System.objects.get(slug=slug)
    now = timezone.now()
    if request.method == "POST":
        try:
            release = opening.open_release(
                system=system,
                label=request.POST.get("label", "").strip(),
                summary=request.POST.get("summary", ""),
                ticket_url=request.POST.get("ticket_url", "").strip(),
                by=signed_in(request),
                now=now,
            )
        except InvalidInput as error:
            return render(
                request, "releases/open.html", {"system": system, "error": error, "values": request.POST}, status=422
            )
        opening.pin_newest(release_id=release.pk, by=signed_in(request), now=now)
        return redirect(presenting.release_url(release, "setup"))
    return render(request, "releases/open.html", {"system": system, "values": {}})


@require_GET
def detail(request: HttpRequest, slug: str, label: str) -> HttpResponse:
    release = find(request, slug, label)
    now = timezone.now()
    asked = _question(request, release)
    found = standing(release, asked, now=now)
    query = parse_tokens(request.GET.get("q", ""), ITEM_TOKENS)
    shown = presenting.rows(found, release)
    kept = presenting.filtered(shown, query.tokens, query.text)
    context = {
        **head(request, release, found, now=now),
        "query": query,
        "sections": presenting.sections(kept, definition_of(release.standard)),
        "shown": len(kept),
        "total": len(shown),
        "done": sum(not row.blocks and presenting.ItemState(row.state).done for row in shown),
        "moves": release_moves(request, release, found, now=now),
        "canary": canary_panel(release, found, now=now),
        "sign_offs": release.sign_offs.select_related("signer", "grant").order_by("question", "signed_at"),
        "rejections": release.rejections.select_related("by").filter(lifted_at=None),
    }
    template = (
        "releases/detail.html#checklist" if request.headers.get("HX-Target") == "checklist" else "releases/detail.html"
    )
    return render(request, template, context)


def _question(request: HttpRequest, release: Release) -> Question:
    raw = request.GET.get("question")
    if raw is None:
        return question_now(release)
    try:
        return presenting.question_of(raw)
    except ValueError:
        raise InvalidInput("There are two questions: canary and release.") from None


def head(request: HttpRequest, release: Release, found: Standing, *, now: datetime) -> dict[str, Any]:
    """What every page of a release shows at its top: the verdict, and why."""
    return {
        "release": release,
        "system": release.system,
        "found": found,
        "question": found.question,
        "reasons": presenting.reasons(found, release),
        "pins": release.pins.select_related("component", "version").order_by("component__kind", "component__name"),
        "now": now,
    }


def release_moves(
    request: HttpRequest, release: Release, found: Standing, *, now: datetime
) -> dict[str, tuple[str, ...]]:
    """Why this person may not start, promote, roll back, abandon or begin the review; empty where they may."""
    who = person(signed_in(request), release, now=now)
    canary = found if found.question is Question.CANARY else standing(release, Question.CANARY, now=now)
    full = found if found.question is Question.RELEASE else standing(release, Question.RELEASE, now=now)
    return {
        "edit": rules.edit_refusals(who, release_state=release.state),
        "start": rules.start_refusals(
            who,
            release_state=release.state,
            cleared=canary.cleared,
            other_in_rollout=rollout.other_in_rollout(release),
            has_plan=canary.facts.plan is not None,
        ),
        "promote": rules.promote_refusals(who, release_state=release.state, cleared=full.cleared),
        "roll_back": rules.roll_back_refusals(who, release_state=release.state),
        "abandon": rules.abandon_refusals(who, release_state=release.state),
    }


def canary_panel(release: Release, found: Standing, *, now: datetime) -> dict[str, Any] | None:
    plan = Rollout.objects.select_related("source").filter(release=release).first()
    if plan is None:
        return None
    if plan.started_at is None:
        return {"plan": plan}
    judged = judge_rollout(release, plan, found.bars, now=now)
    return {"plan": plan, "judged": judged, "percent": min(100, int(judged.covered_hours * 100 / plan.hours))}


@require_http_methods(["GET", "POST"])
def setup(request: HttpRequest, slug: str, label: str) -> HttpResponse:
    """What the release is made of, and how it meets its users."""
    release = find(request, slug, label)
    now = timezone.now()
    error, status = None, 200
    if request.method == "POST":
        try:
            _setup(request, release, now=now)
        except InvalidInput as problem:
            error, status = problem, 422
        else:
            return redirect(presenting.release_url(release, "setup"))
    found = standing(release, question_now(release), now=now)
    pinned = {pin.component_id: pin for pin in release.pins.select_related("version", "set_by")}
    components = [
        (component, pinned.get(component.pk), component.versions.filter(state__in=["approved", "deprecated"]))
        for component in release.system.components.filter(retired_at=None)
    ]
    context = {
        **head(request, release, found, now=now),
        "components": components,
        "plan": Rollout.objects.filter(release=release).first(),
        "bars": found.bars,
        "sources": Source.objects.filter(system=release.system),
        "moves": release_moves(request, release, found, now=now),
        "missing": opening.missing_pins(release),
        "error": error,
        "values": request.POST,
    }
    return render(request, "releases/setup.html", context, status=status)


def _setup(request: HttpRequest, release: Release, *, now: datetime) -> None:
    by = signed_in(request)
    match request.POST.get("act"):
        case "pin":
            version = Version.objects.select_related("component").filter(pk=_uuid(request.POST.get("version"))).first()
            if version is None:
                raise InvalidInput("Choose a version.")
            opening.pin(release_id=release.pk, version=version, by=by, now=now)
        case "plan":
            source = Source.objects.filter(pk=_uuid(request.POST.get("source"))).first()
            if source is None:
                raise InvalidInput("Choose the source that the rollout is watched with. Add one under Sources first.")
            opening.plan_rollout(
                release_id=release.pk,
                strategy=request.POST.get("strategy", "canary"),
                source=source,
                share=_number(request, "share_percent") / 100,
                hours=int(_number(request, "hours")),
                error_rate_max=_number(request, "error_percent") / 100,
                p95_ms_max=int(_number(request, "p95_ms")),
                by=by,
                now=now,
            )
        case "review":
            opening.begin_review(release_id=release.pk, by=by, now=now)
            messages.success(request, "The review has begun.")
        case _:
            raise InvalidInput("Nothing was chosen.")


def _number(request: HttpRequest, name: str) -> Decimal:
    try:
        value = Decimal(request.POST.get(name, ""))
    except InvalidOperation:
        raise InvalidInput(f"{name.replace('_', ' ').capitalize()}: write a number.") from None
    if not value.is_finite() or abs(value) > 10**9:
        raise InvalidInput(f"{name.replace('_', ' ').capitalize()}: write a number.")
    return value


def _uuid(raw: str | None) -> str | None:
    try:
        return str(UUID(raw or ""))
    except ValueError:
        return None


@require_http_methods(["GET", "POST"])
def questions(request: HttpRequest, slug: str, label: str) -> HttpResponse:
    """The operational questions, each answered in words."""
    release = find(request, slug, label)
    now = timezone.now()
    error, status = None, 200
    if request.method == "POST":
        try:
            checklist.answer_question(
                release_id=release.pk,
                key=request.POST.get("key", ""),
                value=request.POST.get("value", ""),
                text=request.POST.get("text", ""),
                by=signed_in(request),
                now=now,
            )
        except InvalidInput as problem:
            error, status = problem, 422
        else:
            return redirect(presenting.release_url(release, "questions") + f"#{request.POST.get('key')}")
    found = standing(release, question_now(release), now=now)
    given = {answer.key: answer for answer in release.answers.select_related("answered_by")}
    asked = [(question, given.get(question.key)) for question in definition_of(release.standard).questions]
    who = person(signed_in(request), release, now=now)
    context = {
        **head(request, release, found, now=now),
        "asked": asked,
        "answered": len(given),
        "edit": rules.edit_refusals(who, release_state=release.state),
        "error": error,
        "values": request.POST,
    }
    return render(request, "releases/questions.html", context, status=status)


@require_POST
def move(request: HttpRequest, slug: str, label: str) -> HttpResponse:
    """Start, promote, roll back, abandon."""
    release = find(request, slug, label)
    now, by, reason = timezone.now(), signed_in(request), request.POST.get("reason", "")
    match request.POST.get("act"):
        case "start":
            rollout.start_rollout(release_id=release.pk, by=by, now=now)
            messages.success(request, "The canary has started. It is watched from now on.")
        case "promote":
            rollout.promote(release_id=release.pk, by=by, now=now)
            messages.success(request, f"{release.label} is live.")
        case "roll_back":
            restored = rollout.roll_back(release_id=release.pk, reason=reason, by=by, now=now)
            what = f"{restored.label} serves again." if restored else "The fallback serves."
            messages.success(request, f"{release.label} is rolled back. {what}")
        case "abandon":
            opening.abandon(release_id=release.pk, reason=reason, by=by, now=now)
            messages.success(request, f"{release.label} is abandoned.")
        case _:
            raise PermissionDenied("Nothing was chosen.")
    return redirect(presenting.release_url(release))


@require_GET
def history(request: HttpRequest, slug: str, label: str) -> HttpResponse:
    """Everything that was done to the release and its items, from the ledger, and the decisions taken."""
    release = find(request, slug, label)
    now = timezone.now()
    found = standing(release, question_now(release), now=now)
    subjects = [release.subject, *(item.subject for item in release.items.all())]
    page = keyset_page(
        ledger.entries(system=slug).filter(subject__in=subjects),
        order=("-index",),
        cursor=request.GET.get("cursor"),
        size=50,
    )
    context = {
        **head(request, release, found, now=now),
        "page": page,
        "decisions": release.decisions.order_by("-decided_at")[:50],
    }
    return render(request, "releases/history.html", context)
