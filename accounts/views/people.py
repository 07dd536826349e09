"""People and their roles. Admins act; auditors read; holders of a side see what waits for their confirmation."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import actions
from accounts.access import person as signed_in
from accounts.access import require_admin
from accounts.actions.factors import reset_refusals
from accounts.actions.roles import confirmation_refusals
from accounts.forms import GrantForm, InviteForm, ReasonForm, end_of_day
from accounts.models import FactorReset, RoleGrant, User
from accounts.queries import may_read_people, people, waiting_grants, waiting_resets
from accounts.reauth import require_recent
from web.filters import parse_tokens
from web.paging import keyset_page
from web.problems import Forbidden, Problem


@require_http_methods(["GET", "HEAD", "POST"])
def people_list(request: HttpRequest) -> HttpResponse:
    """The list, and what waits for a second person; a POST invites somebody."""
    user, now = signed_in(request), timezone.now()
    form = InviteForm(request.POST or None)
    if request.method == "POST":
        require_admin(user, now=now)
        require_recent(request)
        if form.is_valid():
            try:
                invited = actions.invite(by=user, now=now, **form.cleaned_data)
            except Problem as problem:
                form.add_error(None, problem.detail)
            else:
                messages.success(request, f"{invited} was invited.")
                return redirect("accounts:person", pk=invited.pk)
    reads = may_read_people(user, now=now)
    query = request.GET.get("q", "")
    context = {
        "form": form,
        "reads": reads,
        "admin": user.has_perm("accounts.manage"),
        "q": query,
        "waiting": _waiting(user),
    }
    if reads:
        words = parse_tokens(query, ("role", "system"))
        context["unknown"] = words.unknown
        found = people(text=words.text, role=words.first("role"), system=words.first("system"), now=now)
        context["page"] = keyset_page(found, order=("name", "pk"), cursor=request.GET.get("cursor"))
    return render(request, "accounts/people.html", context, status=422 if form.errors else 200)


def _waiting(user: User) -> list[dict[str, object]]:
    """Grants and resets that wait for a second person, each with the reason why it cannot be this one."""
    now = timezone.now()
    grants = [(grant, confirmation_refusals(grant, by=user, now=now)) for grant in waiting_grants(now=now)]
    resets = [(reset, reset_refusals(reset, by=user, now=now)) for reset in waiting_resets()]
    admin = user.has_perm("accounts.manage")
    return [
        {"row": row, "kind": kind, "reason": reasons[0] if reasons else ""}
        for kind, rows in (("grant", grants), ("reset", resets))
        for row, reasons in rows
        if admin or not reasons
    ]


@require_safe
def person(request: HttpRequest, pk: UUID) -> HttpResponse:
    user, now = signed_in(request), timezone.now()
    if not may_read_people(user, now=now):
        raise Forbidden("This takes an admin or an auditor.")
    shown = get_object_or_404(User, pk=pk)
    admin = user.has_perm("accounts.manage")
    context = {
        "person": shown,
        "admin": admin,
        "grants": shown.grants.select_related("granted_by", "confirmed_by", "revoked_by").order_by("-granted_at", "pk"),
        "tokens": shown.tokens.filter(revoked_at=None).order_by("name"),
        "now": now,
        "grant_form": GrantForm(),
        "reason_form": ReasonForm(),
        "waiting_reset": shown.factor_resets.filter(done_at=None).first(),
    }
    if admin and no_mail_server() and shown.is_active and not shown.has_usable_password():
        # The admin hands the link over. With a mail server, only the invited person gets to see it.
        context["invitation"] = settings.BASE_URL + actions.invitation_path(shown)
    return render(request, "accounts/person.html", context)


def no_mail_server() -> bool:
    return str(settings.MAILERS["default"]["BACKEND"]).endswith("console.EmailBackend")


@require_POST
def grant(request: HttpRequest, pk: UUID) -> HttpResponse:
    user = signed_in(request)
    require_admin(user, now=timezone.now())
    require_recent(request)
    shown = get_object_or_404(User, pk=pk)
    form = GrantForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose a role; the system is a short id like support-bot.")
        return redirect("accounts:person", pk=pk)
    data = form.cleaned_data
    given = actions.grant_role(
        user=shown,
        role=data["role"],
        system=data["system"],
        ends_at=end_of_day(data["until"]),
        by=user,
        now=timezone.now(),
    )
    done = f"{shown} holds the role now." if given.confirmed else "Granted. It counts once a second person confirms it."
    messages.success(request, done)
    return redirect("accounts:person", pk=pk)


@require_POST
def confirm(request: HttpRequest, pk: UUID) -> HttpResponse:
    user = signed_in(request)
    row = get_object_or_404(RoleGrant, pk=pk)
    require_recent(request)
    actions.confirm_grant(grant=row, by=user, now=timezone.now())
    messages.success(request, "Confirmed: the role counts from now on.")
    return redirect("accounts:people")


@require_POST
def revoke(request: HttpRequest, pk: UUID) -> HttpResponse:
    user, now = signed_in(request), timezone.now()
    row = get_object_or_404(RoleGrant, pk=pk)
    if row.user_id != user.pk:
        require_admin(user, now=now)
    require_recent(request)
    actions.revoke_role(grant=row, by=user, now=now, reason=request.POST.get("reason", "")[:300])
    messages.success(request, "The role has ended, and the person is signed out everywhere.")
    return redirect("accounts:me") if row.user_id == user.pk else redirect("accounts:person", pk=row.user_id)


@require_POST
def deactivate(request: HttpRequest, pk: UUID) -> HttpResponse:
    user = signed_in(request)
    require_admin(user, now=timezone.now())
    require_recent(request)
    shown = get_object_or_404(User, pk=pk)
    actions.deactivate(user=shown, by=user, now=timezone.now(), reason=request.POST.get("reason", "")[:300])
    messages.success(request, f"{shown} is shut out: roles and tokens are revoked.")
    return redirect("accounts:person", pk=pk)


@require_POST
def reset_factors(request: HttpRequest, pk: UUID) -> HttpResponse:
    user = signed_in(request)
    require_admin(user, now=timezone.now())
    require_recent(request)
    shown = get_object_or_404(User, pk=pk)
    reason = request.POST.get("reason", "")[:300]
    reset = actions.request_factor_reset(user=shown, reason=reason, by=user, now=timezone.now())
    done = "The second factors are removed." if reset.done_at else "Asked for. A second person confirms it."
    messages.success(request, done)
    return redirect("accounts:person", pk=pk)


@require_POST
def confirm_reset(request: HttpRequest, pk: UUID) -> HttpResponse:
    user = signed_in(request)
    reset = get_object_or_404(FactorReset, pk=pk)
    require_recent(request)
    actions.confirm_factor_reset(reset=reset, by=user, now=timezone.now())
    messages.success(request, "The second factors are removed.")
    return redirect("accounts:people")
