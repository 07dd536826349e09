"""A system's traffic: what may be kept of it, what was turned away, who reports it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from audit import scopes, unsafe, validation
from audit.ingest.policy import ALWAYS_DENIED
from audit.profiles import profile_of
from systems import actions, rules
from systems.errors import InvalidInput, Refused
from systems.forms import DataPolicyForm
from systems.views import environments
from systems.views.shared import blame, said, visit


@require_http_methods(["GET", "HEAD", "POST"])
def traffic(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    numbered = profile_of(slug)
    form = DataPolicyForm(request.POST or None, profile=numbered.profile)
    if request.method == "POST" and form.is_valid():
        try:
            actions.set_data_policy(system=there.system, wanted=form.cleaned_data, by=there.user, now=there.now)
        except (InvalidInput, Refused) as problem:
            blame(form, problem)
        else:
            messages.success(request, "In force from now on, for what comes in from now on.")
            return redirect("systems:traffic", slug=slug)
    context = {
        "system": there.system,
        "tabs": there.tabs("systems:traffic"),
        "crumbs": there.crumbs()[:1],
        "profile": numbered.profile,
        "number": numbered.number,
        "form": form,
        "reason": said(rules.set_data_policy(there.person, looser=())),
        "always_denied": ALWAYS_DENIED,
        "attempts": unsafe.seen_in(slug),
        "reported_by": scopes.reported_by(slug, now=there.now),
        "checks": validation.latest(slug),
        **environments.shown(there),
    }
    return render(request, "systems/traffic.html", context, status=422 if form.errors else 200)
