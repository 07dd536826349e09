"""Signing: what is shown is what is signed. The proof of who signs comes in the same request."""

import json
import secrets
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import reauth
from accounts.access import person as signed_in
from accounts.models import User
from audit import canonical
from releases import presenting, rules
from releases.actions import signing as acts
from releases.decisions import Standing, standing
from releases.errors import InvalidInput, StateMoved
from releases.models import Rejection, Release, SignOff
from releases.people import person
from releases.statement import assertion_json, challenge
from releases.views.release import find, head, question_now
from web.problems import NotFound, Problem

SALT = "releases.statement"


@require_http_methods(["GET", "POST"])
def sign(request: HttpRequest, slug: str, label: str, side: str) -> HttpResponse:
    """GET shows the statement; POST carries it back, sealed, with the proof."""
    release = find(request, slug, label)
    now, user = timezone.now(), signed_in(request)
    error: Problem | None = None
    if request.method == "POST":
        try:
            shown, passkey_state = opened(request.POST.get("statement", ""), now=now)
            proof = prove(request.POST, user=user, passkey_state=passkey_state, now=now)
            acts.sign_off(
                release_id=release.pk,
                statement=shown,
                shown_digest=request.POST.get("state_digest", ""),
                proof=proof,
                by=user,
                now=now,
            )
        except Problem as problem:
            error = problem
        else:
            messages.success(request, f"You signed {release.label} for {side}.")
            return redirect(presenting.release_url(release) + "#sign-off")
    found = standing(release, question_now(release), now=now)
    context = {
        **head(request, release, found, now=now),
        **offer(release, found, side, user=user, now=now),
        "error": error,
    }
    return render(request, "releases/sign.html", context, status=error.status if error else 200)


def offer(release: Release, found: Standing, side: str, *, user: User, now: datetime) -> dict[str, Any]:
    """The statement of this moment, sealed so that it comes back as it went out, and the passkey's options over it."""
    who = person(user, release, now=now)
    refusals = rules.sign_refusals(who, side, acts.signing_view(release, found, signer=user, side=side))
    if side not in rules.SIDES:
        raise NotFound("There are two sides: engineering and operations.")
    statement = acts.statement_for(release, found, side, signer=user, nonce=secrets.token_urlsafe(24), now=now)
    options, state = reauth.begin(user, challenge=challenge(statement)) if reauth.has_passkey(user) else (None, None)
    return {
        "side": side,
        "refusals": refusals,
        "statement": statement,
        "statement_digest": canonical.digest(statement),
        "sealed": signing.dumps({"statement": statement, "passkey": state}, salt=SALT, compress=True),
        "passkey_options": options,
        "changes": changes_since(release, side, found),
        "reject_refusals": rules.reject_refusals(who, side, question_open=found.open, already=False),
    }


def changes_since(release: Release, side: str, found: Standing) -> SignOff | None:
    """The last signature of this side on another state: the page says what it was and why it does not count."""
    earlier = release.sign_offs.filter(side=side).exclude(state_digest=found.state_digest)
    return earlier.select_related("signer").order_by("-signed_at").first()


def opened(sealed: str, *, now: datetime) -> tuple[dict[str, Any], dict[str, Any] | None]:
    try:
        content = signing.loads(sealed, salt=SALT, max_age=acts.SHOWN_FOR)
    except signing.SignatureExpired:
        raise StateMoved("This page was opened more than 15 minutes ago. Read what it shows now, then sign.") from None
    except signing.BadSignature:
        raise InvalidInput("The statement did not come back as it was shown. Open the page again.") from None
    return content["statement"], content["passkey"]


def prove(data: Any, *, user: User, passkey_state: dict[str, Any] | None, now: datetime) -> acts.Proof:
    """A passkey over the statement, or password and one-time code in this very request."""
    if answer := data.get("passkey"):
        if passkey_state is None:
            raise InvalidInput("No passkey was asked for. Open the page again.")
        try:
            response = json.loads(answer) if isinstance(answer, str) else answer
        except ValueError:
            raise InvalidInput("The passkey's answer is not readable. Try again.") from None
        assertion = reauth.complete(user, state=passkey_state, response=response)
        return acts.Proof(
            SignOff.Method.PASSKEY, assertion_json(assertion, rp_id=reauth.rp_id(), origin=reauth.origin())
        )
    reauth.verify_factors(user, password=data.get("password", ""), code=data.get("code", ""), now=now)
    return acts.Proof(SignOff.Method.TWO_FACTOR)


@require_POST
def say(request: HttpRequest, slug: str, label: str) -> HttpResponse:
    """Reject, lift a rejection, withdraw a signature."""
    release = find(request, slug, label)
    now, by = timezone.now(), signed_in(request)
    match request.POST.get("act"):
        case "reject":
            acts.reject(
                release_id=release.pk,
                side=request.POST.get("side", ""),
                reason=request.POST.get("reason", ""),
                by=by,
                now=now,
            )
            messages.success(request, "The release is rejected. It stays so until you lift it.")
        case "lift":
            rejection = one_of(Rejection, request.POST.get("id"), release)
            acts.lift_rejection(rejection_id=rejection, by=by, now=now)
        case "withdraw":
            acts.withdraw(sign_off_id=one_of(SignOff, request.POST.get("id"), release), by=by, now=now)
        case _:
            raise InvalidInput("Nothing was chosen.")
    return redirect(presenting.release_url(release) + "#sign-off")


def one_of(model: type[Rejection] | type[SignOff], raw: str | None, release: Release) -> UUID:
    try:
        pk = UUID(raw or "")
    except ValueError:
        raise NotFound("There is no such thing on this release.") from None
    if not model.objects.filter(pk=pk, release=release).exists():
        raise NotFound("There is no such thing on this release.")
    return pk


@require_GET
def certificate(request: HttpRequest, slug: str, label: str, sign_off: UUID) -> HttpResponse:
    """What was signed, by whom, how, and whether it still counts: printable."""
    release = find(request, slug, label)
    signed = release.sign_offs.select_related("signer", "grant").filter(pk=sign_off).first()
    if signed is None:
        raise NotFound("There is no such signature on this release.")
    found = standing(release, question_now(release), now=timezone.now())
    return render(
        request, "releases/certificate.html", {**head(request, release, found, now=timezone.now()), "signed": signed}
    )
