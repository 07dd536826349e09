from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts import actions
from accounts.access import person
from accounts.forms import NameForm
from accounts.queries import factors_of, living_grants
from web.problems import Problem


@require_http_methods(["GET", "HEAD", "POST"])
def me(request: HttpRequest) -> HttpResponse:
    """My account: name, roles, factors, sessions. Factors and sessions have pages of their own (allauth's)."""
    user, now = person(request), timezone.now()
    form = NameForm(request.POST or None, initial={"name": user.name})
    if request.method == "POST" and form.is_valid():
        try:
            actions.rename(user=user, name=form.cleaned_data["name"], by=user, now=now)
        except Problem as problem:
            form.add_error(None, problem.detail)
        else:
            messages.success(request, "Your name is changed. What you signed before keeps the old one.")
            return redirect("accounts:me")
    context = {
        "form": form,
        "grants": living_grants(now=now).filter(user=user).order_by("system", "role"),
        "waiting": [grant for grant in user.grants.filter(revoked_at=None, ended_at=None) if grant.pending],
        "factors": factors_of(user),
        "tokens": user.tokens.filter(revoked_at=None).order_by("name"),
    }
    return render(request, "accounts/me.html", context, status=422 if form.errors else 200)
