"""The first steps: setting up a fresh installation, and the second factor that a role asks for."""

from allauth.account.internal.flows.login import record_authentication
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts import actions
from accounts.access import person
from accounts.forms import SetupForm
from accounts.queries import must_enrol
from web.problems import Problem


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def setup(request: HttpRequest, token: str) -> HttpResponse:
    """Makes the first admin. The address is the only key: nothing of this page is cached."""
    now = timezone.now()
    actions.check_setup_token(token, now=now)
    form = SetupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user = actions.complete_setup(token=token, now=now, **form.cleaned_data)
        except Problem as problem:
            for sentence in problem.reasons or (problem.detail,):
                form.add_error(None, sentence)
        else:
            login(request, user, backend="accounts.backends.SignInBackend")
            record_authentication(request, user, method="password")
            return redirect("accounts:enrol")
    return render(request, "accounts/setup.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
def enrol(request: HttpRequest) -> HttpResponse:
    """Where somebody lands whose role asks for a second factor that they do not have yet."""
    if not must_enrol(person(request), now=timezone.now()):
        return redirect("/")
    return render(request, "accounts/enrol.html")
