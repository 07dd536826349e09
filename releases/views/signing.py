"""Signing: what is shown is what is signed. The proof of who signs comes in the same request."""

import json
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import person as signed_in
from accounts.access import visible_systems
from audit import ledger
from releases import rules
from releases.actions import signing as acts
from releases.decisions import standing
from releases.errors import StateMoved
from releases.forms import RejectForm, SealedForm, TwoFactorForm
from releases.gate.types import Question
from releases.models import Rejection, Release, SignOff
from releases.offering import offer, opened, prove
from releases.people import person
from releases.presenting import page, rows
from releases.presenting import signing as shown
from releases.presenting.work import next_to_sign
from releases.views.release import find
from web.problems import NotFound, Problem


@require_http_methods(["GET", "POST"])
def sign(request: HttpRequest, slug: str, label: str, side: str) -> HttpResponse:
    """GET shows the statement; POST carries it back with the proof. A refusal shows the present statement, and why."""
    release = find(request, slug, label)
    error: Problem | None = None
    moved: list[dict[str, str]] = []
    if request.method == "POST":
        try:
            signed = _sign(request, release)
        except Problem as problem:
            error = problem
            moved = _moved(request, release) if isinstance(problem, StateMoved) else []
        else:
            waiting = _next(request) if request.POST.get("then") == "next" else ""
            said = f"You signed {release.system.name} {release.label} for {signed.get_side_display().lower()}."
            messages.success(request, f"{said} Here is the next that waits for you." if waiting else said)
            return redirect(waiting or rows.release_url(release) + "#signoffs")
    now, user = timezone.now(), signed_in(request)
    found = standing(release, page.question_now(release), now=now)
    offered = offer(release, found, side, user=user, now=now)
    refused = rules.reject_refusals(
        person(user, release, now=now), side, question_open=found.open, already=acts.has_rejected(release, user, side)
    )
    context = {
        **page.head(release, found, now=now),
        "statement": shown.statement(offered.statement, release, found),
        "changes": shown.changes(release, found),
        "moved": moved,
        "form": SealedForm(initial={"statement": offered.sealed, "state_digest": found.state_digest}),
        "two_factor_form": TwoFactorForm(),
        "sign_url": rows.release_url(release, "sign", side=side),
        "reject_url": rows.release_url(release, "say", act="reject"),
        "reject_form": None if refused else RejectForm(initial={"side": side}),
        "passkey_options": offered.passkey_options,
        "reason": " ".join(offered.refusals),
        "error": error,
    }
    return render(request, "releases/sign.html", context, status=error.status if error else 200)


def _sign(request: HttpRequest, release: Release) -> SignOff:
    user, now = signed_in(request), timezone.now()
    statement, passkey_state = opened(request.POST.get("statement", ""))
    proof = prove(request.POST.dict(), user=user, passkey_state=passkey_state, now=now)
    return acts.sign_off(
        release_id=release.pk,
        statement=statement,
        shown_digest=request.POST.get("state_digest", ""),
        proof=proof,
        by=user,
        now=now,
    )


def _moved(request: HttpRequest, release: Release) -> list[dict[str, str]]:
    """What happened since the page was opened; one that is too old to be read says nothing."""
    try:
        return shown.moved(release, opened(request.POST.get("statement", ""))[0])
    except Problem:
        return []


def _next(request: HttpRequest) -> str:
    """Sign and next: the page of the signature that waits for this person after this one."""
    user, now = signed_in(request), timezone.now()
    return next_to_sign(user, visible_systems(request, now=now), now=now)


@require_POST
def say(request: HttpRequest, slug: str, label: str, act: str) -> HttpResponse:
    """Reject, lift a rejection, withdraw a signature."""
    release = find(request, slug, label)
    now, by = timezone.now(), signed_in(request)
    match act:
        case "reject":
            side, reason = request.POST.get("side", ""), request.POST.get("reason", "")
            acts.reject(release_id=release.pk, side=side, reason=reason, by=by, now=now)
            said = "The release is rejected. It stays so until you lift it."
        case "lift":
            acts.lift_rejection(rejection_id=_one_of(Rejection, request, release), by=by, now=now)
            said = "The rejection is lifted."
        case "withdraw":
            acts.withdraw(sign_off_id=_one_of(SignOff, request, release), by=by, now=now)
            said = "The signature is withdrawn."
        case _:
            raise NotFound("There is no such act.")
    messages.success(request, said)
    return redirect(rows.release_url(release) + "#signoffs")


def _one_of(model: type[Rejection] | type[SignOff], request: HttpRequest, release: Release) -> UUID:
    pk = rows.uuid_or_none(request.POST.get("id"))
    if pk is None or not model.objects.filter(pk=pk, release=release).exists():
        raise NotFound("There is no such thing on this release.")
    return pk


@require_GET
def certificate(request: HttpRequest, slug: str, label: str, sign_off: UUID) -> HttpResponse:
    """What was signed, by whom, how, and whether it still counts: printable."""
    release = find(request, slug, label)
    signed = release.sign_offs.select_related("signer", "grant").filter(pk=sign_off).first()
    if signed is None:
        raise NotFound("There is no such signature on this release.")
    now = timezone.now()
    found = standing(release, Question(signed.question), now=now)
    record = ledger.entries(subject=release.subject).filter(kind="release.signed", actor_id=signed.signer.actor_id)
    proven, problem = shown.proven(signed)
    context = {
        **page.head(release, found, now=now),
        "signed": signed,
        "statement_json": json.dumps(signed.statement, indent=2, ensure_ascii=False, sort_keys=True),
        "proven": proven,
        "problem": problem,
        "entry": record.filter(at=signed.signed_at).first(),
        "not_counted": signed.void_reason or shown.why_not_counted(found, signed),
    }
    return render(request, "releases/certificate.html", context)
