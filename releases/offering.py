"""What is shown to a signer and comes back: the statement, sealed, and the proof of who signs. For pages and API."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core import signing

from accounts import reauth
from accounts.models import User
from audit import canonical
from releases import rules
from releases.actions.signing import SHOWN_FOR, Proof, Signed, signing_view, statement_for
from releases.decisions import Standing
from releases.errors import InvalidInput, StateMoved
from releases.models import Release, SignOff
from releases.people import person
from releases.statement import assertion_json, challenge
from web.problems import NotFound

SALT = "releases.statement"


@dataclass(frozen=True)
class Offer:
    """`sealed` comes back as it went out, or is refused: nobody signs a statement of their own making."""

    statement: dict[str, Any]
    statement_digest: str
    sealed: str
    passkey_options: dict[str, Any] | None  # for navigator.credentials.get; None: the person has no passkey
    refusals: tuple[str, ...]


def offer(release: Release, found: Standing, side: str, *, user: User, now: datetime) -> Offer:
    """The statement of this moment, and why this person may not sign it (empty: they may)."""
    if side not in rules.SIDES | rules.SECTIONS:
        raise NotFound("There are two sides, engineering and operations, and three sections.")
    view = signing_view(release, found, Signed.of(release), signer=user, side=side)
    refusals = rules.sign_refusals(person(user, release, now=now), side, view)
    statement = statement_for(release, found, side, signer=user, nonce=secrets.token_urlsafe(24), now=now)
    options, state = None, None
    if reauth.has_passkey(user):
        options, state = reauth.begin(user, challenge=challenge(statement))
    sealed = signing.dumps({"statement": statement, "passkey": state}, salt=SALT, compress=True)
    return Offer(statement, canonical.digest(statement), sealed, options, refusals)


def opened(sealed: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The statement that was shown, and the state of the passkey question that went with it."""
    try:
        content = signing.loads(sealed, salt=SALT, max_age=SHOWN_FOR)
    except signing.SignatureExpired:
        raise StateMoved("This page was opened more than 15 minutes ago. Read what it shows now, then sign.") from None
    except signing.BadSignature:
        raise InvalidInput("The statement did not come back as it was shown. Open the page again.") from None
    return content["statement"], content["passkey"]


def prove(data: Mapping[str, Any], *, user: User, passkey_state: dict[str, Any] | None, now: datetime) -> Proof:
    """A passkey over the statement, or password and one-time code, in this very request."""
    if answer := data.get("passkey"):
        if passkey_state is None:
            raise InvalidInput("No passkey was asked for. Open the page again.")
        try:
            response = json.loads(answer) if isinstance(answer, str) else answer
        except ValueError:
            raise InvalidInput("The passkey's answer cannot be read. Try again.") from None
        assertion = reauth.complete(user, state=passkey_state, response=response)
        stored = assertion_json(assertion, rp_id=reauth.rp_id(), origin=reauth.origin())
        return Proof(SignOff.Method.PASSKEY, stored)
    reauth.verify_factors(user, password=data.get("password", ""), code=data.get("code", ""), now=now)
    return Proof(SignOff.Method.TWO_FACTOR)
