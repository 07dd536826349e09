import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.test import Client, RequestFactory

from accounts.actions import enrol_totp
from accounts.errors import ReauthenticationNeeded, TooManyAttempts, WrongFactors
from accounts.passkeys import InvalidAssertion, verify_assertion
from accounts.reauth import begin, complete, recent, require_recent, verify_factors
from accounts.roles import Role
from accounts.totp import code_at
from tests.accounts.authenticator import UP, SoftKey
from tests.factories import NOW, PASSWORD, make_user

pytestmark = pytest.mark.django_db

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
SECOND = timedelta(seconds=1)


@pytest.fixture
def mara():
    user = make_user("Mara", Role.ENGINEERING, system="support-bot", password=PASSWORD)
    enrol_totp(user, secret=SEED, now=NOW)
    return user


# --- Password and code ---


def test_password_and_code_together_prove_a_person(mara):
    factors = verify_factors(mara, password=PASSWORD, code=code_at(SEED, NOW), now=NOW)
    assert (factors.method, factors.verified_at) == ("password+totp", NOW)


def test_a_code_counts_once_even_beside_its_neighbours(mara):
    verify_factors(mara, password=PASSWORD, code=code_at(SEED, NOW), now=NOW)
    with pytest.raises(WrongFactors, match="used already"):
        verify_factors(mara, password=PASSWORD, code=code_at(SEED, NOW), now=NOW + 5 * SECOND)
    # Nor does an older code count after a newer one.
    with pytest.raises(WrongFactors, match="used already"):
        verify_factors(mara, password=PASSWORD, code=code_at(SEED, NOW - 30 * SECOND), now=NOW + 5 * SECOND)
    later = NOW + 30 * SECOND
    verify_factors(mara, password=PASSWORD, code=code_at(SEED, later), now=later)


def test_half_a_proof_is_none_and_a_wrong_password_spends_no_code(mara):
    code = code_at(SEED, NOW)
    for password, given in (("wrong", code), (PASSWORD, "000000"), ("", code), (PASSWORD, "")):
        with pytest.raises(WrongFactors, match="password or the code is wrong"):
            verify_factors(mara, password=password, code=given, now=NOW)
    verify_factors(mara, password=PASSWORD, code=code, now=NOW)


def test_five_wrong_tries_lock_it_for_five_minutes(mara):
    for n in range(5):
        with pytest.raises(WrongFactors):
            verify_factors(mara, password="wrong", code="000000", now=NOW + n * SECOND)
    # Now even the right ones are refused, and the wait is told.
    with pytest.raises(TooManyAttempts) as refused:
        verify_factors(mara, password=PASSWORD, code=code_at(SEED, NOW), now=NOW + 10 * SECOND)
    assert 280 < refused.value.extra["retry_after"] <= 300
    later = NOW + timedelta(minutes=5, seconds=4)
    verify_factors(mara, password=PASSWORD, code=code_at(SEED, later), now=later)
    mara.refresh_from_db()
    assert mara.failed_factors == 0


def test_a_refusal_is_counted_although_the_act_rolls_back(mara):
    """Inside of the act's transaction the count would be undone with it, so that is refused as a fault of ours."""
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        verify_factors(mara, password="wrong", code="000000", now=NOW)


def test_without_an_app_the_person_is_told(mara):
    Authenticator.objects.all().delete()
    with pytest.raises(WrongFactors, match="no authenticator app"):
        verify_factors(mara, password=PASSWORD, code="123456", now=NOW)


def test_who_was_shut_out_proves_nothing(mara):
    mara.is_active = False
    mara.save()
    with pytest.raises(WrongFactors):
        verify_factors(mara, password=PASSWORD, code=code_at(SEED, NOW), now=NOW)


# --- Passkeys ---

CHALLENGE = b"statement-hash-of-32-bytes------"
SITE = {"rp_id": "localhost", "origin": "http://localhost:8000"}


def test_a_passkey_signs_our_challenge_and_it_can_be_checked_offline(mara):
    key = SoftKey()
    row = key.enrol(mara)
    options, state = begin(mara, challenge=CHALLENGE)
    assert options["publicKey"]["userVerification"] == "required"
    assert options["publicKey"]["rpId"] == "localhost"
    assert len(options["publicKey"]["allowCredentials"]) == 1
    client = Client()
    session = client.session
    session["state"] = state  # it survives the session's JSON
    session.save()
    proof = complete(mara, state=client.session["state"], response=key.answer(CHALLENGE))
    verify_assertion(proof, challenge=CHALLENGE, **SITE)
    with pytest.raises(InvalidAssertion):
        verify_assertion(proof, challenge=CHALLENGE[::-1], **SITE)
    row.refresh_from_db()
    assert row.last_used_at is not None


def test_answers_that_do_not_hold_are_refused(mara):
    key, stranger = SoftKey(), SoftKey()
    key.enrol(mara)
    _, state = begin(mara, challenge=CHALLENGE)
    for response in (
        key.answer(b"another-challenge-of-32-bytes---"),
        key.answer(CHALLENGE, flags=UP),
        key.answer(CHALLENGE, origin="http://localhost:8001"),
        key.answer(CHALLENGE, origin="https://evil.test"),
        stranger.answer(CHALLENGE),
        {},
        {"id": "x"},
        {**key.answer(CHALLENGE), "response": {}},
        {**key.answer(CHALLENGE), "rawId": "AAAA", "id": "AAAA"},
    ):
        with pytest.raises(WrongFactors):
            complete(mara, state=state, response=response)


def test_another_person_s_passkey_does_not_sign_for_me(mara):
    key = SoftKey()
    key.enrol(make_user("Otto", Role.OPERATIONS))
    with pytest.raises(WrongFactors, match="no passkey"):
        begin(mara, challenge=CHALLENGE)
    mine = SoftKey(credential_id=b"soft-key-0000002")
    mine.enrol(mara)
    _, state = begin(mara, challenge=CHALLENGE)
    with pytest.raises(WrongFactors):
        complete(mara, state=state, response=key.answer(CHALLENGE))


def test_a_counter_that_does_not_grow_is_a_copied_key(mara):
    key = SoftKey(counter=7)
    key.enrol(mara)
    _, state = begin(mara, challenge=CHALLENGE)
    complete(mara, state=state, response=key.answer(CHALLENGE))
    for counter in (7, 3):
        key.counter = counter
        with pytest.raises(WrongFactors, match="copied"):
            complete(mara, state=state, response=key.answer(CHALLENGE))
    key.counter = 8
    complete(mara, state=state, response=key.answer(CHALLENGE))


def test_synced_passkeys_without_a_counter_sign_again_and_again(mara):
    key = SoftKey(counter=0)
    key.enrol(mara)
    _, state = begin(mara, challenge=CHALLENGE)
    for _ in range(2):
        complete(mara, state=state, response=key.answer(CHALLENGE))


# --- Some minutes ago ---


def request_of(user, *, age, path="/people/"):
    request = RequestFactory().post(path)
    request.user = user
    request.session = {}
    if age is not None:
        request.session = {
            "account_authentication_methods": [{"method": "password", "at": time.time() - age}],
            "account_authentication_methods_user": str(user.pk),
        }
    return request


def test_recent_is_five_minutes(mara):
    assert recent(request_of(mara, age=10))
    assert recent(request_of(mara, age=290))
    assert not recent(request_of(mara, age=310))
    assert not recent(request_of(mara, age=None))


def test_an_account_with_nothing_to_ask_for_is_never_recent():
    """allauth's own check says yes here."""
    social = make_user("Social")
    assert not social.has_usable_password()
    request = request_of(social, age=1)
    assert not recent(request)
    with pytest.raises(ReauthenticationNeeded):
        require_recent(request)


def test_another_person_s_proof_does_not_count(mara):
    request = request_of(mara, age=1)
    request.user = make_user("Otto", Role.OPERATIONS, password=PASSWORD)
    assert not recent(request)


def test_pages_send_to_the_proof_and_the_api_says_so(mara):
    with pytest.raises(ReauthenticationRequired):
        require_recent(request_of(mara, age=None))
    with pytest.raises(ReauthenticationNeeded):
        require_recent(request_of(mara, age=None, path="/api/tokens"))
    assert require_recent(request_of(mara, age=1)) is None
    assert not recent(SimpleNamespace(user=SimpleNamespace(is_authenticated=False)))
