"""Policies of a system: what is in force, what is proposed, and how they differ."""

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from systems import actions, rules
from systems.actions.policies import PARTS
from systems.errors import InvalidInput, Refused
from systems.forms import PolicyForm, ReasonForm
from systems.history import history
from systems.models import Policy, ReleasePolicy, RunningPolicy
from systems.policy import ReleaseBars, RunningLimits, Thresholds
from systems.policy_words import in_words
from systems.registry import policy_state
from systems.views.shared import Visit, blame, said, visit
from web.problems import NotFound

THRESHOLDS: dict[str, type[ReleaseBars] | type[RunningLimits]] = {"release": ReleaseBars, "running": RunningLimits}
TITLES = {"release": "Release policy", "running": "Running policy"}
ABOUT = {
    "release": "Bars that a release is judged against. A release pins one version of it.",
    "running": "Limits that bind the system while it runs. The version in force always applies.",
}


@require_safe
def overview(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    context = {
        "system": there.system,
        "tabs": there.tabs("systems:policy"),
        "crumbs": there.crumbs()[:1],
        "parts": [_part(there, part) for part in PARTS],
    }
    return render(request, "systems/policies.html", context)


def _part(there: Visit, part: str) -> dict[str, Any]:
    versions = list(
        PARTS[part]
        ._default_manager.filter(system=there.system)
        .select_related("author", "approver", "platform_approver")
    )
    waiting = next((policy for policy in versions if policy.state == Policy.State.DRAFT), None)
    current = next(policy for policy in versions if policy.state == Policy.State.APPROVED)
    reasons = rules.propose_policy(there.person, waiting=waiting.number if waiting else None)
    return {
        "part": part,
        "title": TITLES[part],
        "about": ABOUT[part],
        "current": current,
        "waiting": waiting,
        "rows": compare(part, current.body),
        "versions": versions,
        "propose_reason": said(reasons),
    }


def compare(part: str, body: dict[str, Any], before: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """One line per threshold: its value, the shipped one, and with `before` what it was."""
    kind = THRESHOLDS[part]
    now: Thresholds = kind.parse(body)
    old: Thresholds | None = kind.parse(before) if before is not None else None
    shipped = kind()
    weaker = set(now.weaker_than(shipped))
    return [
        {
            "name": name,
            "bar": bar,
            "value": in_words(getattr(now, name), bar),
            "shipped": in_words(getattr(shipped, name), bar),
            "before": in_words(getattr(old, name), bar) if old else None,
            "changed": old is not None and getattr(old, name) != getattr(now, name),
            "weaker": name in weaker,
        }
        for name, bar in kind.bars().items()
    ]


def _policy(there: Visit, part: str, number: int) -> ReleasePolicy | RunningPolicy:
    if part not in PARTS:
        raise NotFound("A policy has two parts: release and running.")
    found = PARTS[part]._default_manager.select_related("system", "author", "approver", "platform_approver")
    return cast("ReleasePolicy | RunningPolicy", get_object_or_404(found, system=there.system, number=number))


@require_safe
def version(request: HttpRequest, slug: str, part: str, number: int) -> HttpResponse:
    """One version beside the one it replaced, or would replace."""
    there = visit(request, slug)
    policy = _policy(there, part, number)
    versions = PARTS[part]._default_manager.filter(system=there.system)
    if policy.state == Policy.State.DRAFT:
        before = versions.filter(state=Policy.State.APPROVED).first()
    else:
        before = versions.filter(number__lt=number).exclude(state=Policy.State.DECLINED).order_by("-number").first()
    state = policy_state(policy)
    rows = compare(part, policy.body, before.body if before else None)
    context = {
        "system": there.system,
        "crumbs": there.crumbs(("Policy", reverse("systems:policy", args=[slug]))),
        "part": part,
        "title": TITLES[part],
        "policy": policy,
        "before": before,
        "changed": [row for row in rows if row["changed"]],
        "same": [row for row in rows if not row["changed"]],
        "product_reason": said(rules.approve_policy(there.person, state, role="product")),
        "platform_reason": said(rules.approve_policy(there.person, state, role="platform")),
        "decline_reason": said(rules.decline_policy(there.person, state)),
        "reason_form": ReasonForm(),
        "history": history(f"policy:{policy.pk}"),
    }
    return render(request, "systems/policy_version.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def propose(request: HttpRequest, slug: str, part: str) -> HttpResponse:
    there = visit(request, slug)
    if part not in PARTS:
        raise NotFound("A policy has two parts: release and running.")
    found = _part(there, part)
    form = PolicyForm(request.POST or None, part=THRESHOLDS[part], body=found["current"].body)
    if request.method == "POST" and form.is_valid():
        try:
            policy = actions.propose_policy(
                system=there.system,
                part=part,
                body=form.body(),
                reason=form.cleaned_data["reason"],
                by=there.user,
                now=there.now,
            )
        except (InvalidInput, Refused) as problem:
            blame(form, problem)
        else:
            messages.success(
                request, "Proposed. Product approves it; the page says whether the platform owner has to as well."
            )
            return redirect("systems:policy-version", slug=slug, part=part, number=policy.number)
    context = {
        "system": there.system,
        "crumbs": there.crumbs(("Policy", reverse("systems:policy", args=[slug]))),
        "title": found["title"],
        "current": found["current"],
        "form": form,
        "reason": found["propose_reason"],
    }
    return render(request, "systems/propose.html", context, status=422 if form.errors else 200)


@require_POST
def act(request: HttpRequest, slug: str, part: str, number: int, act: str) -> HttpResponse:
    there = visit(request, slug)
    policy = _policy(there, part, number)
    if act == "approve":
        policy = actions.approve_policy(policy=policy, role=request.POST.get("role", ""), by=there.user, now=there.now)
        in_force = policy.state == Policy.State.APPROVED
        messages.success(request, "It is in force." if in_force else "Approved. The other approval is still to come.")
    elif act == "decline":
        reason = request.POST.get("reason", "")[:2000]
        actions.decline_policy(policy=policy, reason=reason, by=there.user, now=there.now)
        messages.success(request, "Declined.")
    else:
        raise NotFound("A policy is approved or declined.")
    return redirect("systems:policy-version", slug=slug, part=part, number=number)
