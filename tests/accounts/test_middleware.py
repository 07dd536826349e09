"""Nobody who may sign gets anywhere without a second factor. Every address is tried, by its name in the URL conf."""

import pytest
from django.test import Client
from django.urls import get_resolver

from accounts.actions import enrol_totp
from accounts.middleware import BEFORE_ENROLMENT
from accounts.roles import Role
from tests.architecture.urls import patterns, sample_path
from tests.factories import NOW, make_admin, make_user

pytestmark = pytest.mark.django_db

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def client_of(user):
    client = Client(headers={"user-agent": "test"})
    client.force_login(user)
    return client


def test_every_page_sends_a_signer_without_a_factor_to_enrol():
    client = client_of(make_user("Mara", Role.ENGINEERING, system="support-bot"))
    tried = 0
    for pattern in patterns(get_resolver()):
        path = sample_path(pattern)
        if path.startswith(BEFORE_ENROLMENT):
            continue
        for method in ("get", "post"):
            answer = getattr(client, method)(path)
            if path.startswith(("/api/", "/v1/")):
                assert answer.status_code == 403, path
                assert "second factor" in answer.json()["detail"]
            else:
                assert (answer.status_code, answer.headers.get("Location")) == (302, "/accounts/enrol/"), path
        tried += 1
    assert tried > 20


def test_the_way_to_enrol_is_open():
    client = client_of(make_admin())
    assert client.get("/accounts/enrol/").status_code == 200
    for path in ("/accounts/2fa/totp/activate/", "/accounts/2fa/webauthn/add/"):
        # Signed in by force, so nothing was proved lately: the password is asked first.
        assert client.get(path)["Location"].startswith("/accounts/reauthenticate/")
    assert client.post("/accounts/logout/").status_code == 302


def test_with_a_factor_everything_is_open_again():
    admin = make_admin()
    enrol_totp(admin, secret=SEED, now=NOW)
    client = client_of(admin)
    assert client.get("/people/").status_code == 200
    assert client.get("/accounts/enrol/")["Location"] == "/"


def test_who_signs_nothing_is_left_alone():
    assert client_of(make_user("Aud", Role.AUDITOR)).get("/people/").status_code == 200


def test_the_setting_switches_it_off(settings):
    settings.REQUIRE_MFA = False
    assert client_of(make_admin()).get("/people/").status_code == 200


def test_strangers_are_sent_to_sign_in_and_come_back():
    answer = Client().get("/people/?q=role:admin")
    assert answer.status_code == 302
    assert answer["Location"] == "/accounts/login/?next=/people/%3Fq%3Drole%3Aadmin"
