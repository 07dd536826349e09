"""Proving again who one is: in the same request for an act that binds, some minutes ago for an act of an admin."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from allauth.account import app_settings as account_settings
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import decrypt
from allauth.mfa.webauthn.internal.auth import get_authenticator_by_credential_id, get_credentials
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from fido2 import cbor
from fido2.server import Fido2Server
from fido2.webauthn import AuthenticationResponse, PublicKeyCredentialRpEntity, UserVerificationRequirement

from accounts import totp
from accounts.errors import ReauthenticationNeeded, TooManyAttempts, WrongFactors
from accounts.models import User
from accounts.passkeys import PasskeyAssertion
from web.middleware import wants_json

MAX_FAILURES = 5
LOCKED_FOR = timedelta(minutes=5)


def recent(request: HttpRequest) -> bool:
    """Whether the person signed in, or proved themselves again, within ACCOUNT_REAUTHENTICATION_TIMEOUT.

    allauth's own check says yes for want of a way to ask. This one does not: an account with neither password nor
    second factor is never recent.
    """
    if not request.user.is_authenticated or not get_reauthentication_flows(request.user):
        return False
    records = get_authentication_records(request, request.user)
    return bool(records) and time.time() - records[-1]["at"] < account_settings.REAUTHENTICATION_TIMEOUT


def require_recent(request: HttpRequest) -> None:
    """For views: lets the request pass, or sends the person to prove themselves and come back (allauth resumes it)."""
    if recent(request):
        return
    if wants_json(request) or not get_reauthentication_flows(request.user):
        raise ReauthenticationNeeded("Prove again who you are: sign out, sign in, and repeat this within five minutes.")
    raise ReauthenticationRequired


@dataclass(frozen=True)
class Factors:
    """What a person proved in this request. Two factors, but bound to no key: a certificate says so."""

    method: str
    verified_at: datetime


def verify_factors(user: User, *, password: str, code: str, now: datetime) -> Factors:
    """Password and one-time code together, for a binding act. Five wrong tries lock it for five minutes.

    Not inside of a transaction: a refusal that rolls back must not roll back its own count. The person's row is locked
    meanwhile, so guesses come one by one.
    """
    with transaction.atomic(durable=True):
        row = User.objects.select_for_update().get(pk=user.pk)
        locked_until = row.failed_factors_at and row.failed_factors_at + LOCKED_FOR
        if locked_until and locked_until <= now:
            row.failed_factors = 0
        if row.failed_factors >= MAX_FAILURES and locked_until:
            seconds = int((locked_until - now).total_seconds()) + 1
            raise TooManyAttempts("Too many wrong passwords or codes. Wait five minutes.", retry_after=seconds)
        refusal = _refusal(row, password, code, now)
        row.failed_factors = row.failed_factors + 1 if refusal else 0
        row.failed_factors_at = now if refusal else None
        row.save(update_fields=["failed_factors", "failed_factors_at"])
    if refusal:
        raise WrongFactors(refusal)
    return Factors(method="password+totp", verified_at=now)


def _refusal(user: User, password: str, code: str, now: datetime) -> str:
    authenticator = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    if authenticator is None:
        return "You have no authenticator app. Set one up, or sign with a passkey."
    if not user.is_active or not user.check_password(password):
        return "The password or the code is wrong."
    return use_code(authenticator, code, now=now)


def use_code(authenticator: Authenticator, code: str, *, now: datetime) -> str:
    """Uses up a one-time code. Returns why it does not count, or an empty text: each code counts once."""
    with transaction.atomic():
        row = Authenticator.objects.select_for_update().get(pk=authenticator.pk)
        step = totp.step_of(decrypt(row.data["secret"]), code, now)
        if step is None:
            return "The password or the code is wrong."
        if step <= row.data.get("last_step", 0):
            return "This code was used already. Wait for the next one."
        row.data["last_step"] = step
        row.last_used_at = now
        row.save(update_fields=["data", "last_used_at"])
    return ""


def origin() -> str:
    """Where our pages come from, as browsers write it: what a passkey signs along with the challenge."""
    parts = urlsplit(settings.BASE_URL)
    return f"{parts.scheme}://{parts.netloc}"


def rp_id() -> str:
    """The site that a passkey belongs to (WebAuthn: relying party). From the settings, never from a Host header."""
    return urlsplit(settings.BASE_URL).hostname or "localhost"


def has_passkey(user: User) -> bool:
    return bool(get_credentials(user))


def begin(user: User, *, challenge: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options for `navigator.credentials.get` over our own challenge, and the state that `complete` needs."""
    credentials = get_credentials(user)
    if not credentials:
        raise WrongFactors("You have no passkey. Add one to your account, or sign with password and code.")
    options, state = _server().authenticate_begin(
        credentials=credentials, user_verification=UserVerificationRequirement.REQUIRED, challenge=challenge
    )
    return _plain(options), {
        "challenge": state["challenge"],
        "user_verification": UserVerificationRequirement.REQUIRED.value,
    }


def complete(user: User, *, state: Mapping[str, Any], response: Mapping[str, Any]) -> PasskeyAssertion:
    """Checks the passkey's answer, and returns all that is needed to check it again for ever. Use each state once."""
    try:
        parsed = AuthenticationResponse.from_dict(response)
        credential = _server().authenticate_complete(dict(state), get_credentials(user), parsed)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WrongFactors("The passkey's answer does not hold. Try again.") from error
    data = parsed.response.authenticator_data
    _count(user, credential.credential_id, data.counter)
    return PasskeyAssertion(
        credential_id=credential.credential_id,
        public_key=cbor.encode(dict(credential.public_key)),
        authenticator_data=bytes(data),
        client_data_json=bytes(parsed.response.client_data),
        signature=parsed.response.signature,
    )


def _count(user: User, credential_id: bytes, counter: int) -> None:
    """A counter that does not grow is the sign of a copied key. Synced passkeys keep theirs at zero: not compared."""
    with transaction.atomic():
        found = get_authenticator_by_credential_id(user, credential_id)
        row = Authenticator.objects.select_for_update().get(pk=found.pk)
        if counter and counter <= row.data.get("counter", 0):
            raise WrongFactors(
                "This passkey may have been copied: its counter did not grow. Remove it and add it again."
            )
        row.data["counter"] = counter
        row.save(update_fields=["data"])
        row.record_usage()


def _server() -> Fido2Server:
    site = PublicKeyCredentialRpEntity(id=rp_id(), name=settings.INSTANCE_NAME)
    return Fido2Server(site, verify_origin=lambda given: given == origin())


def _plain(value: Any) -> Any:
    """fido2's mappings as plain dicts and lists, ready for JSON."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
