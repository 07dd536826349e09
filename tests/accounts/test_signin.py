"""Signing in with real requests: what is asked, what is counted, what ends when something changes."""

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.cache import cache, caches
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.actions import enrol_totp
from accounts.errors import WrongFactors
from accounts.models import RoleGrant, User
from accounts.reauth import verify_factors
from accounts.roles import Role
from accounts.totp import code_at
from audit import ledger
from tests.factories import NOW, PASSWORD, make_user

pytestmark = pytest.mark.django_db

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture(autouse=True)
def _no_attempts_yet():
    cache.clear()


@pytest.fixture
def mara():
    user = make_user("Mara", Role.ENGINEERING, system="support-bot", password=PASSWORD)
    enrol_totp(user, secret=SEED, now=NOW)
    return user


@pytest.fixture
def aud():
    return make_user("Aud", Role.AUDITOR, password=PASSWORD)


def sign_in(user, *, password=PASSWORD, client=None, **headers):
    client = client or Client(headers={"user-agent": "test"})
    answer = client.post("/accounts/login/", {"login": user.email, "password": password}, **headers)
    return client, answer


def is_in(client):
    return client.get("/me/").status_code == 200


def test_the_password_alone_is_half_of_it(mara):
    client, answer = sign_in(mara)
    assert answer["Location"] == "/accounts/2fa/authenticate/"
    assert not is_in(client)
    assert client.post("/accounts/2fa/authenticate/", {"code": "000000"}).status_code == 200
    assert not is_in(client)
    answer = client.post("/accounts/2fa/authenticate/", {"code": code_at(SEED, timezone.now())})
    assert answer.status_code == 302
    assert is_in(client)
    kinds = [entry.kind for entry in ledger.entries(subject=f"user:{mara.pk}")]
    assert kinds[-2:] == ["session.refused", "session.opened"]


def test_a_code_that_signed_in_does_not_sign(mara):
    with time_machine.travel(NOW, tick=False):
        client, _ = sign_in(mara)
        code = code_at(SEED, NOW)
        client.post("/accounts/2fa/authenticate/", {"code": code})
        assert is_in(client)
        with pytest.raises(WrongFactors, match="used already"):
            verify_factors(mara, password=PASSWORD, code=code, now=NOW)
        other, _ = sign_in(mara)
        other.post("/accounts/2fa/authenticate/", {"code": code})
        assert not is_in(other)


def test_a_recovery_code_signs_in_once_and_never_signs(mara):
    client, _ = sign_in(mara)
    client.post("/accounts/2fa/authenticate/", {"code": code_at(SEED, timezone.now())})
    client.post("/accounts/2fa/recovery-codes/generate/")
    codes = Authenticator.objects.get(user=mara, type="recovery_codes").wrap().get_unused_codes()
    assert len(codes) == 10
    other, _ = sign_in(mara)
    other.post("/accounts/2fa/authenticate/", {"code": codes[0]})
    assert is_in(other)
    third, _ = sign_in(mara)
    third.post("/accounts/2fa/authenticate/", {"code": codes[0]})
    assert not is_in(third)
    with pytest.raises(WrongFactors):
        verify_factors(mara, password=PASSWORD, code=codes[1], now=timezone.now())


def test_wrong_passwords_lock_an_account_from_wherever_they_come(aud):
    for n in range(5):
        client, answer = sign_in(aud, password="wrong-guess-number", REMOTE_ADDR=f"10.0.0.{n}")
        assert answer.status_code == 200
    client, answer = sign_in(aud, REMOTE_ADDR="10.0.0.99")
    assert not is_in(client)
    assert "Too many failed login attempts" in answer.text
    # The others are not locked with it.
    assert is_in(sign_in(make_user("Bea", Role.AUDITOR, password=PASSWORD))[0])


def test_a_forged_address_header_does_not_reset_the_count(aud):
    for n in range(5):
        sign_in(aud, password="wrong-guess-number", HTTP_X_FORWARDED_FOR=f"203.0.113.{n}")
    client, _ = sign_in(aud, HTTP_X_FORWARDED_FOR="198.51.100.7")
    assert not is_in(client)


def test_one_address_cannot_try_many_accounts():
    people = [make_user(f"Person{n}", Role.AUDITOR, password=PASSWORD) for n in range(11)]
    for person in people[:10]:
        sign_in(person, password="wrong-guess-number")
    client, _ = sign_in(people[10])
    assert not is_in(client)


def test_a_stranger_learns_nothing_and_leaves_nothing_in_the_ledger(aud):
    before = ledger.entries().count()
    unknown = Client().post("/accounts/login/", {"login": "nobody@example.test", "password": "x" * 12})
    assert ledger.entries().count() == before
    _, wrong = sign_in(aud, password="wrong-guess-number")
    assert ledger.entries().count() == before + 1
    said = [text for text in ("not correct", "No account", "inactive") if text in unknown.text]
    assert said == [text for text in ("not correct", "No account", "inactive") if text in wrong.text]


def test_nobody_signs_up_or_changes_their_address(aud):
    assert Client().get("/accounts/signup/").status_code in (302, 404)
    client, _ = sign_in(aud)
    for path in ("/accounts/signup/", "/accounts/email/", "/accounts/confirm-email/"):
        assert client.get(path).status_code == 404
        assert client.post(path, {"email": "new@example.test", "action_add": ""}).status_code == 404


def test_a_new_password_ends_the_other_sessions_and_changes_the_key(aud):
    here, _ = sign_in(aud)
    there, _ = sign_in(aud)
    assert is_in(here)
    assert is_in(there)
    before = here.session.session_key
    new = "another-good-password"
    answer = here.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert answer.status_code == 302
    assert is_in(here)
    assert here.session.session_key != before
    assert not is_in(there)
    assert ledger.entries(subject=f"user:{aud.pk}").filter(kind="password.changed").count() == 1
    assert not is_in(sign_in(aud)[0])


def test_the_session_key_is_new_after_sign_in(aud):
    client = Client(headers={"user-agent": "test"})
    client.get("/accounts/login/")
    session = client.session
    session["planted"] = "by somebody who gave me this cookie"
    session.save()
    planted = session.session_key
    client.cookies["sessionid"] = planted
    sign_in(aud, client=client)
    assert is_in(client)
    assert client.session.session_key != planted


def test_a_form_from_another_site_is_refused(aud):
    client = Client(enforce_csrf_checks=True, headers={"user-agent": "test"})
    assert client.post("/accounts/login/", {"login": aud.email, "password": PASSWORD}).status_code == 403
    client.force_login(aud)
    assert client.post("/me/", {"name": "Mallory"}).status_code == 403
    answer = client.post("/api/tokens", {}, content_type="application/json")
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]
    aud.refresh_from_db()
    assert aud.name == "Aud"


def test_cookies_and_headers_are_strict(aud):
    client, answer = sign_in(aud)
    cookie = answer.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    page = client.get("/me/")
    assert page["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"]
    assert "unsafe" not in page["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in page


def test_a_session_that_is_over_and_one_of_somebody_who_left_are_none(mara, aud):
    for user, end in ((mara, "expired"), (aud, "left")):
        client = Client(headers={"user-agent": "test"})
        client.force_login(user)
        assert is_in(client)
        if end == "left":
            User.objects.filter(pk=user.pk).update(is_active=False)
        else:
            Session.objects.filter(pk=client.session.session_key).update(expire_date=timezone.now())
        assert not is_in(client), end


def test_a_session_is_noted_once_a_minute_and_at_once_from_another_place():
    client = Client(headers={"user-agent": "Firefox"})
    client.force_login(make_user("Mara"))
    caches["near"].clear()
    seen = lambda: UserSession.objects.get(session_key=client.session.session_key)  # noqa: E731
    client.get("/me/")
    first = seen()
    with CaptureQueriesContext(connection) as asked:
        client.get("/me/")
    assert not any("usersession" in query["sql"] for query in asked.captured_queries)
    client.get("/me/", headers={"user-agent": "curl"})
    assert (seen().user_agent, first.user_agent) == ("curl", "Firefox")
    client.get("/me/", REMOTE_ADDR="192.0.2.7")
    assert seen().ip == "192.0.2.7"
    caches["near"].clear()  # as after a minute
    client.get("/me/")
    assert seen().last_seen_at > first.last_seen_at


def test_a_page_asks_once_who_is_signed_in_and_what_they_hold():
    client = Client()
    aud = make_user("Aud", Role.AUDITOR)
    client.force_login(aud)
    client.get("/requests/")
    with CaptureQueriesContext(connection) as asked:
        assert client.get("/requests/").status_code == 200
    texts = [query["sql"] for query in asked.captured_queries]
    assert [text for text in texts if "accounts_rolegrant" in text][1:] == []
    assert sum("accounts_user" in text for text in texts) == 1


def test_roles_are_read_anew_with_each_request():
    mara = make_user("Mara", Role.ENGINEERING, system="support-bot")
    client = Client()
    client.force_login(mara)
    read = lambda: client.get("/").wsgi_request.user  # noqa: E731
    assert read().has_perm("audit.browse", "support-bot")
    assert not read().has_perm("audit.browse", "other-bot")
    assert not read().has_perm("audit.browse")
    assert not read().has_perm("audit.payload", "support-bot")
    RoleGrant.objects.filter(user=mara).update(revoked_at=timezone.now(), revoked_by=mara)
    assert not read().has_perm("audit.browse", "support-bot")
    # A person who came otherwise than by a session is asked about as well.
    held = make_user("Petra", Role.PRODUCT, system="support-bot")
    assert held.has_perm("audit.browse", "support-bot")
    assert not held.has_perm("audit.browse", "other-bot")
