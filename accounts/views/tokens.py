"""Machine tokens: admins issue them, owners see and revoke their own. A secret is shown once, where it was made."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import actions
from accounts.access import person, require_admin
from accounts.forms import TokenForm, end_of_day
from accounts.queries import tokens_of
from accounts.reauth import require_recent
from web.paging import keyset_page
from web.problems import Problem


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    user, now = person(request), timezone.now()
    form = TokenForm(request.POST or None)
    made = secret = None
    if request.method == "POST":
        require_admin(user, now=now)
        require_recent(request)
        if form.is_valid():
            data = dict(form.cleaned_data)
            expires_at = end_of_day(data.pop("until"))
            try:
                made, secret = actions.issue_token(by=user, now=now, expires_at=expires_at, **data)
            except Problem as problem:
                form.add_error(None, problem.detail)
            else:
                form = TokenForm()
    context = {
        "form": form,
        "made": made,
        "secret": secret,
        "admin": user.has_perm("accounts.manage"),
        "now": now,
        "page": keyset_page(tokens_of(user, now=now), cursor=request.GET.get("cursor")),
    }
    return render(request, "accounts/tokens.html", context, status=422 if form.errors else 200)


@require_POST
def revoke(request: HttpRequest, pk: UUID) -> HttpResponse:
    user, now = person(request), timezone.now()
    token = get_object_or_404(tokens_of(user, now=now), pk=pk)
    actions.revoke_token(token=token, by=user, now=now)
    messages.success(request, f"“{token}” is revoked: from now on it opens nothing.")
    return redirect("accounts:tokens")
