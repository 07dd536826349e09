"""Pages of a release: list, open, the release itself, what it is made of, its questions, its history."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import person as signed_in
from accounts.access import require_member, visible_systems
from audit import canonical, ledger
from releases import rules
from releases.actions import opening, rollout, shadow
from releases.actions.standards import upgrade_standard
from releases.decisions import Standing, standing
from releases.errors import InvalidInput
from releases.forms import OpenForm
from releases.gate.types import Question
from releases.models import Release
from releases.people import person
from releases.presenting import checklist as checklist_context
from releases.presenting import history as history_context
from releases.presenting import listing as listing_context
from releases.presenting import moves, page, rows, signing
from releases.presenting import rollout as rollout_context
from releases.presenting.item import members
from releases.queries import release_of, system_of, visible_releases
from releases.standard.compare import differences
from releases.standard.published import definition_of, newer_standard, standard_for, standards_in_force
from releases.state import ItemRow
from systems.models import ReleasePolicy
from systems.policy_words import asks_less
from web.filters import parse_tokens
from web.paging import keyset_page
from web.problems import NotFound


def find(request: HttpRequest, slug: str, label: str) -> Release:
    """The release, for somebody who holds a role on its system."""
    require_member(request, slug)
    return release_of(system_of(slug), label)


@require_GET
def listing(request: HttpRequest, slug: str = "") -> HttpResponse:
    """Releases of all systems that the person sees, or of one."""
    now = timezone.now()
    releases = visible_releases(visible_systems(request, now=now))
    system = None
    if slug:
        require_member(request, slug)
        system = system_of(slug)
        releases = releases.filter(system=system)
    raw = request.GET.get("q", "")
    query = parse_tokens(raw, ("state", "system"))
    if states := query.tokens.get("state"):
        releases = releases.filter(state__in=states)
    if slugs := query.tokens.get("system"):
        releases = releases.filter(system__slug__in=slugs)
    if query.text:
        releases = releases.filter(label__icontains=query.text)
    found = keyset_page(releases, order=("-opened_at", "-pk"), cursor=request.GET.get("cursor"), size=30)
    return render(request, "releases/list.html", listing_context.listing(found, query, raw, system, now=now))


@require_http_methods(["GET", "POST"])
def open_release(request: HttpRequest, slug: str) -> HttpResponse:
    require_member(request, slug)
    system = system_of(slug)
    form = OpenForm(
        request.POST or None,
        standards=standards_in_force(system),
        initial={"standard": standard_for(system).number},
    )
    if request.method == "POST" and form.is_valid():
        by, now = signed_in(request), timezone.now()
        try:
            chosen = form.cleaned_data | {"standard": form.cleaned_data["standard"].number}
            release = opening.open_release(system=system, by=by, now=now, **chosen)
        except InvalidInput as error:
            form.add_error("label", error.detail)
        else:
            opening.pin_newest(release_id=release.pk, by=by, now=now)
            return redirect(rows.release_url(release, "setup"))
    status = 422 if form.is_bound else 200
    return render(request, "releases/open.html", {"system": system, "form": form}, status=status)


@require_GET
def detail(request: HttpRequest, slug: str, label: str) -> HttpResponse:
    release = find(request, slug, label)
    now, user = timezone.now(), signed_in(request)
    who = person(user, release, now=now)
    edit = rules.edit_refusals(who, release_state=release.state)
    found = standing(release, asked(request, release), now=now)
    raw = request.GET.get("q", "")
    query = parse_tokens(raw, checklist_context.TOKENS)
    shown = rows.rows(found, release)
    kept = rows.filtered(shown, query.tokens, query.text)
    context = {
        **page.head(release, found, now=now),
        "live_url": f"{rows.release_url(release, 'live')}?question={found.question.value}",
        "upgrade": _upgrade(release, edit),
        "newer_policy": _newer_policy(release, edit),
        "weakens": release.standard.weakens,
        "weaker_bars": asks_less(release.policy.body),
        "stamp": checklist_context.stamp(found, shown),
        "checklist": checklist_context.checklist(release, shown, kept, query, raw)
        | ({} if edit else _several(request, release, found, now=now)),
        "signoffs": signing.signoffs(release, found, user=user, who=who),
        "rollout": rollout_context.rollout(release, found.bars, now=now),
        "shadow": rollout_context.shadow(release),
        "history": history_context.events(entries_of(release, found.items)[:6]),
        "history_url": rows.release_url(release, "history"),
        "actions": moves.actions(release, found, user=user, who=who, now=now),
        "dialogs": moves.dialogs(release),
        "changes": signing.changes(release, found),
    }
    return render(request, "releases/release.html", context)


def _newer_policy(release: Release, edit: tuple[str, ...]) -> dict[str, Any] | None:
    """The release policy in force, offered to a release that may still be judged by it."""
    if release.policy.superseded_at is None or release.state not in Release.OPEN:
        return None
    newer = ReleasePolicy.objects.get(system=release.system, state=ReleasePolicy.State.APPROVED)
    changed = sum(newer.body.get(name) != value for name, value in release.policy.body.items())
    return {
        "number": newer.number,
        "changed": changed,
        "system": release.system.slug,
        "url": rows.release_url(release, "move", act="policy"),
        "reason": " ".join(edit[:1]),
    }


def _upgrade(release: Release, edit: tuple[str, ...]) -> dict[str, Any] | None:
    """The newer version of its standard, offered to a release that may still move to it."""
    newer = newer_standard(release.standard)
    if newer is None or release.state not in Release.OPEN:
        return None
    return {
        "number": newer.number,
        "url": rows.release_url(release, "move", act="upgrade"),
        "differences": differences(definition_of(release.standard), definition_of(newer)),
        "reason": " ".join(edit[:1]),
    }


def _several(request: HttpRequest, release: Release, found: Standing, *, now: datetime) -> dict[str, Any]:
    """What acts on several items, for whoever may change the release."""
    query = request.META.get("QUERY_STRING", "")
    bulk = {"url": f"{rows.release_url(release, 'assign')}?{query}".rstrip("?"), "people": members(release, now=now)}
    return {"bulk": bulk, "carry_url": "" if found.facts.first_release else rows.release_url(release, "carry")}


def asked(request: HttpRequest, release: Release) -> Question:
    """The question of the address or, where it names none, the one that matters now."""
    raw = request.GET.get("question")
    if raw is None:
        return page.question_now(release)
    try:
        return rows.question_of(raw)
    except ValueError:
        raise InvalidInput("There are two questions: canary and release.") from None


@require_GET
def rollout_part(request: HttpRequest, slug: str, label: str) -> HttpResponse:
    """The rollout's card alone: the page asks for it again while it runs."""
    release = find(request, slug, label)
    now = timezone.now()
    found = standing(release, page.question_now(release), now=now)
    shown = rollout_context.rollout(release, found.bars, now=now)
    if shown is None:
        raise NotFound("The rollout of this release has not started.")
    return render(request, "releases/parts/rollout.html", {"rollout": shown})


def entries_of(release: Release, items: Iterable[ItemRow]) -> Any:
    """What the record holds of a release and its items, newest first."""
    subjects = [release.subject, *(item.subject for item in items)]
    return ledger.entries(system=release.system.slug).filter(subject__in=subjects).order_by("-index")


@require_POST
def move(request: HttpRequest, slug: str, label: str, act: str) -> HttpResponse:
    """Begin the review, start, promote, roll back, abandon."""
    release = find(request, slug, label)
    common: dict[str, Any] = {"release_id": release.pk, "by": signed_in(request), "now": timezone.now()}
    reason = request.POST.get("reason", "")
    match act:
        case "review":
            opening.begin_review(**common)
            said = "The review has begun."
        case "start":
            rollout.start_rollout(**common)
            said = "The canary has started. It is watched from now on."
        case "start-shadow":
            shadow.start_shadow(**common)
            said = "The shadow run has started. Nobody sees its answers."
        case "end-shadow":
            shadow.end_shadow(**common)
            said = "The shadow run is ended."
        case "promote":
            rollout.promote(**common)
            said = f"{release.label} is live."
        case "roll-back":
            restored = rollout.roll_back(reason=reason, **common)
            said = f"{release.label} is rolled back. " + (f"{restored} serves." if restored else "The fallback serves.")
        case "upgrade":
            number = request.POST.get("number", "")
            upgrade_standard(number=number, **common)
            said = f"{release.label} is measured against {number} now."
        case "policy":
            moved = opening.move_to_policy(number=request.POST.get("number", ""), **common)
            said = f"{release.label} is judged by release policy {moved.policy.number} now."
        case "abandon":
            opening.abandon(reason=reason, **common)
            said = f"{release.label} is abandoned."
        case _:
            raise InvalidInput("There is no such act.")
    messages.success(request, said)
    return redirect(rows.release_url(release))


@require_GET
def history(request: HttpRequest, slug: str, label: str) -> HttpResponse:
    """Everything that was done to the release and its items, and the decisions taken."""
    release = find(request, slug, label)
    now = timezone.now()
    found = standing(release, page.question_now(release), now=now)
    entries = keyset_page(
        entries_of(release, found.items), order=("-index",), cursor=request.GET.get("cursor"), size=50
    )
    context = {
        **page.head(release, found, now=now),
        "page": entries,
        "events": history_context.events(entries.items),
        "reports": release.phase_reports.all(),
        "decisions": release.decisions.order_by("-decided_at")[:50],
    }
    return render(request, "releases/history.html", context)


@require_GET
def phase_report(request: HttpRequest, slug: str, label: str, phase: str) -> HttpResponse:
    """A frozen report, its digest computed again; `?download` hands out the very bytes that were hashed."""
    release = find(request, slug, label)
    report = release.phase_reports.filter(phase=phase).first()
    if report is None:
        raise NotFound("The release has not left this phase, so its report is not frozen.")
    if "download" in request.GET:
        response = HttpResponse(canonical.dumps(report.body), content_type="application/json")
        response["Content-Disposition"] = f'attachment; filename="{phase}-report.json"'
        return response
    now = timezone.now()
    context = {
        **page.head(release, standing(release, page.question_now(release), now=now), now=now),
        "report": report,
        "title": rows.PHASES.get(phase, phase),
        "intact": canonical.digest(report.body) == report.digest,
    }
    return render(request, "releases/phase_report.html", context)


def may_edit(request: HttpRequest, release: Release) -> tuple[str, ...]:
    who = person(signed_in(request), release, now=timezone.now())
    return rules.edit_refusals(who, release_state=release.state)
