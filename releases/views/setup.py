"""What a release is made of, how it meets its users, and what it answers to the operational questions."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.access import person as signed_in
from releases.actions import checklist, opening
from releases.decisions import standing
from releases.errors import InvalidInput
from releases.forms import AnswerForm, PinForm, PlanForm
from releases.models import Evidence, Release, Rollout
from releases.presenting import page, rows
from releases.standard.published import definition_of
from releases.views.release import find, may_edit


@require_http_methods(["GET", "POST"])
def setup(request: HttpRequest, slug: str, label: str) -> HttpResponse:
    """Pins, then the plan; each form posts for itself."""
    release = find(request, slug, label)
    plan = Rollout.objects.filter(release=release).first()
    now = timezone.now()
    found = standing(release, page.question_now(release), now=now)
    plan_form = PlanForm(system=release.system, initial=PlanForm.start(plan, found.bars))
    error = None
    if request.method == "POST":
        try:
            if "version" in request.POST:
                _pin(request, release)
            else:
                plan_form = PlanForm(request.POST, system=release.system)
                _plan(request, release, plan_form)
            return redirect(rows.release_url(release, "setup"))
        except InvalidInput as problem:
            error = problem
    context = {
        **page.head(release, found, now=now),
        "components": _components(release),
        "plan": plan,
        "plan_form": plan_form,
        "bars": found.bars,
        "edit": may_edit(request, release),
        "missing": opening.missing_pins(release),
        "error": error,
        "draft": release.state == Release.State.DRAFT,
        "review_url": rows.release_url(release, "move", act="review"),
        "sources_url": rows.sources_url(release),
    }
    return render(request, "releases/setup.html", context, status=422 if error else 200)


def _components(release: Release) -> list[dict[str, Any]]:
    pins = {pin.component_id: pin for pin in release.pins.select_related("version", "set_by")}
    shown = []
    for component in release.system.components.filter(retired_at=None).order_by("kind", "name"):
        pin = pins.get(component.pk)
        form = PinForm(
            component=component, auto_id=f"id_{component.pk}_%s", initial={"version": pin and pin.version_id}
        )
        shown.append({"component": component, "pin": pin, "form": form})
    return shown


def _pin(request: HttpRequest, release: Release) -> None:
    component = release.system.components.filter(versions=rows.uuid_or_none(request.POST.get("version"))).first()
    if component is None:
        raise InvalidInput("Choose a version.")
    form = PinForm(request.POST, component=component)
    if not form.is_valid():
        raise InvalidInput("Choose an approved version.")
    opening.pin(release_id=release.pk, version=form.cleaned_data["version"], by=signed_in(request), now=timezone.now())


def _plan(request: HttpRequest, release: Release, form: PlanForm) -> None:
    if not form.is_valid():
        raise InvalidInput("The plan is not complete. What is missing is said beside each field.")
    opening.plan_rollout(release_id=release.pk, by=signed_in(request), now=timezone.now(), **form.plan())


@require_http_methods(["GET", "POST"])
def questions(request: HttpRequest, slug: str, label: str) -> HttpResponse:
    """The operational questions, each answered in words."""
    release = find(request, slug, label)
    now = timezone.now()
    evidence = _evidence(release)
    form = AnswerForm(request.POST or None, evidence=evidence)
    if request.method == "POST" and form.is_valid():
        checklist.answer_question(release_id=release.pk, by=signed_in(request), now=now, **form.cleaned_data)
        return redirect(rows.release_url(release, "questions") + f"#{form.cleaned_data['key']}")
    found = standing(release, page.question_now(release), now=now)
    context = {
        **page.head(release, found, now=now),
        "asked": _asked(release, evidence, form if form.is_bound else None),
        "edit": may_edit(request, release),
    }
    return render(request, "releases/questions.html", context, status=422 if form.is_bound else 200)


def _evidence(release: Release) -> list[tuple[str, str]]:
    """What an answer may rest on: the living evidence of the release's items."""
    living = Evidence.objects.filter(item__release=release, superseded_at=None).order_by("item__position")
    return [(str(pk), f"{title} ({key})") for pk, title, key in living.values_list("pk", "title", "item__key")]


def _asked(release: Release, evidence: list[tuple[str, str]], refused: AnswerForm | None) -> list[dict[str, Any]]:
    """Each question with its answer and a form; the form that was refused comes back as it was filled in."""
    given = {answer.key: answer for answer in release.answers.select_related("answered_by", "evidence__item")}
    asked = []
    for question in definition_of(release.standard).questions:
        answer = given.get(question.key)
        start: dict[str, Any] = {
            "key": question.key,
            "value": answer.value if answer else None,
            "text": answer.text if answer else "",
        }
        start["evidence"] = answer.evidence_id if answer else None
        form = AnswerForm(initial=start, evidence=evidence, auto_id=f"id_{question.key}_%s")
        if refused is not None and refused.data.get("key") == question.key:
            form = refused
        asked.append({"question": question, "answer": answer, "form": form})
    return asked
