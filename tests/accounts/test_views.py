"""The pages, as people use them: by form, with a sign-in that is minutes old."""

import time

import pytest
from django.test import Client
from django.utils import timezone

from accounts.actions import enrol_totp, issue_token
from accounts.models import ApiToken, FactorReset, RoleGrant, User
from accounts.queries import factors_of, roles_of
from accounts.roles import Role
from accounts.tokens import authenticate
from tests.factories import NOW, PASSWORD, make_admin, make_user

pytestmark = pytest.mark.django_db

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def signed_in(user, *, age=5):
    """A client whose session proved itself `age` seconds ago."""
    if not factors_of(user):
        enrol_totp(user, secret=SEED, now=NOW)
    if not user.has_usable_password():
        user.set_password(PASSWORD)
        user.save()
    client = Client(headers={"user-agent": "test"})
    client.force_login(user)
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time() - age}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    return client


@pytest.fixture
def admin():
    return signed_in(make_admin())


def test_an_admin_invites_gives_a_role_and_takes_it_away(admin):
    answer = admin.post("/people/", {"name": "Mara Odegaard", "email": "mara@example.test"})
    mara = User.objects.get(email="mara@example.test")
    assert answer["Location"] == f"/people/{mara.pk}/"
    page = admin.get(answer["Location"])
    assert "Mara Odegaard" in page.text
    assert "No role yet" in page.text

    admin.post(f"/people/{mara.pk}/roles/", {"role": "engineering", "system": "support-bot", "until": ""})
    assert roles_of(mara, system="support-bot", now=timezone.now()) == {Role.ENGINEERING}
    page = admin.get(f"/people/{mara.pk}/")
    assert "founding" in page.text
    grant = mara.grants.get()
    assert admin.post(f"/people/roles/{grant.pk}/revoke/").status_code == 302
    assert roles_of(mara, system="support-bot", now=timezone.now()) == frozenset()
    assert "Revoked" in admin.get(f"/people/{mara.pk}/").text


def test_what_is_wrong_is_said_beside_the_form(admin):
    make_user("Mara")
    taken = User.objects.get(name="Mara").email
    answer = admin.post("/people/", {"name": "Other", "email": taken})
    assert answer.status_code == 422
    assert "is here already" in answer.text
    assert admin.post("/people/", {"name": "", "email": "x"}).status_code == 422


def test_with_two_admins_the_second_confirms_on_the_page(admin):
    beth = signed_in(make_user("Beth Admin", Role.ADMIN))
    mara = make_user("Mara")
    admin.post(f"/people/{mara.pk}/roles/", {"role": "operations", "system": "support-bot"})
    grant = mara.grants.get()
    mine = admin.get("/people/").text
    assert "Waiting for a second person" in mine
    assert "You granted it: another person confirms." in mine
    refused = admin.post(f"/people/roles/{grant.pk}/confirm/")
    assert refused.status_code == 403
    assert "another person" in refused.text
    assert beth.post(f"/people/roles/{grant.pk}/confirm/").status_code == 302
    assert roles_of(mara, system="support-bot", now=timezone.now()) == {Role.OPERATIONS}


def test_the_other_side_sees_what_it_may_confirm_and_nothing_else(admin):
    engineer = signed_in(make_user("Emil", Role.ENGINEERING, system="support-bot"))
    stranger = signed_in(make_user("Elsa", Role.ENGINEERING, system="search"))
    make_user("Beth Admin", Role.ADMIN)
    mara = make_user("Mara")
    admin.post(f"/people/{mara.pk}/roles/", {"role": "operations", "system": "support-bot"})
    page = engineer.get("/people/").text
    assert mara.email in page
    assert make_admin().email not in page, "the list itself is for admins and auditors"
    assert mara.email not in stranger.get("/people/").text
    assert engineer.post(f"/people/roles/{mara.grants.get().pk}/confirm/").status_code == 302
    assert mara.grants.get().confirmed


def test_an_old_sign_in_is_asked_again_and_the_act_then_goes_on():
    old = signed_in(make_admin(), age=400)
    mara = make_user("Mara")
    answer = old.post(f"/people/{mara.pk}/roles/", {"role": "auditor", "system": ""})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert not mara.grants.exists()
    done = old.post(answer["Location"], {"password": PASSWORD})
    assert done.status_code == 302
    assert mara.grants.get().role == Role.AUDITOR


def test_people_who_are_no_admins_change_nothing(admin):
    mara = make_user("Mara", Role.ENGINEERING, Role.OPERATIONS)
    target = make_user("Target", Role.PRODUCT)
    client = signed_in(mara)
    grant = target.grants.get()
    for path, data in (
        ("/people/", {"name": "X", "email": "x@example.test"}),
        (f"/people/{target.pk}/roles/", {"role": "admin"}),
        (f"/people/roles/{grant.pk}/revoke/", {}),
        (f"/people/{target.pk}/deactivate/", {"reason": "x"}),
        (f"/people/{target.pk}/reset-factors/", {"reason": "x"}),
        ("/tokens/", {"name": "x", "owner": mara.pk, "scopes": ["gate:read"]}),
    ):
        assert client.post(path, data).status_code == 403, path
    target.refresh_from_db()
    assert target.is_active
    assert RoleGrant.objects.filter(user=target, revoked_at=None).count() == 1
    assert not FactorReset.objects.exists()
    assert not ApiToken.objects.exists()
    assert not User.objects.filter(email="x@example.test").exists()
    assert client.get(f"/people/{target.pk}/").status_code == 403


def test_an_auditor_reads_the_list_by_filter():
    aud = signed_in(make_user("Aud", Role.AUDITOR))
    mara = make_user("Mara", Role.ENGINEERING, system="support-bot")
    otto = make_user("Otto", Role.OPERATIONS, system="search")
    page = aud.get("/people/?q=role:engineering system:support-bot").text
    assert mara.email in page
    assert otto.email not in page
    page = aud.get("/people/?q=otto size:9").text
    assert otto.email in page
    assert mara.email not in page
    assert "size" in page
    assert "Invite somebody" not in page


def test_the_list_costs_the_same_for_many_people(django_assert_max_num_queries):
    admin = signed_in(make_admin())
    for n in range(12):
        make_user(f"Person {n}", Role.ENGINEERING, Role.AUDITOR)
    with django_assert_max_num_queries(25):
        assert "Person 11" in admin.get("/people/").text


def test_a_token_s_secret_is_shown_once(admin):
    mara = make_user("Mara", Role.ENGINEERING, system="support-bot")
    answer = admin.post(
        "/tokens/",
        {
            "name": "CI of support-bot",
            "owner": str(mara.pk),
            "scopes": ["gate:read", "evidence:write"],
            "system": "support-bot",
            "environment": "",
            "until": "",
        },
    )
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    secret = next(word for word in answer.text.replace("<", " ").replace(">", " ").split() if word.startswith("rdy_"))
    assert authenticate(secret, timezone.now()).name == "CI of support-bot"
    assert secret not in admin.get("/tokens/").text

    # Its owner sees and revokes it; others neither.
    token = ApiToken.objects.get()
    other = signed_in(make_user("Otto", Role.OPERATIONS, system="support-bot"))
    assert "CI of support-bot" not in other.get("/tokens/").text
    assert other.post(f"/tokens/{token.pk}/revoke/").status_code == 404
    owner = signed_in(mara)
    assert "CI of support-bot" in owner.get("/tokens/").text
    assert owner.post(f"/tokens/{token.pk}/revoke/").status_code == 302
    assert authenticate(secret, timezone.now()) is None


def test_a_token_that_cannot_be_is_refused_beside_the_form(admin):
    mara = make_user("Mara", Role.ENGINEERING, system="support-bot")
    answer = admin.post("/tokens/", {"name": "T", "owner": str(mara.pk), "scopes": ["ingest"], "system": "support-bot"})
    assert answer.status_code == 422
    assert "one system and one environment" in answer.text
    assert not ApiToken.objects.exists()


def test_a_lost_factor_is_reset_by_two(admin):
    mara = make_user("Mara", Role.ENGINEERING)
    enrol_totp(mara, secret=SEED, now=NOW)
    beth = signed_in(make_user("Beth Admin", Role.ADMIN))
    admin.post(f"/people/{mara.pk}/reset-factors/", {"reason": "lost her phone"})
    reset = FactorReset.objects.get()
    assert factors_of(mara) == {"totp": 1}
    assert "lost her phone" in beth.get("/people/").text
    assert admin.post(f"/people/resets/{reset.pk}/confirm/").status_code == 403
    assert beth.post(f"/people/resets/{reset.pk}/confirm/").status_code == 302
    assert factors_of(mara) == {}


def test_who_is_shut_out_is_shown_as_gone(admin):
    mara = make_user("Mara", Role.ENGINEERING)
    admin.post(f"/people/{mara.pk}/deactivate/", {"reason": "left"})
    page = admin.get(f"/people/{mara.pk}/").text
    assert "Has left" in page
    assert "Give a role" not in page


def test_my_account_shows_what_i_hold_and_takes_a_new_name():
    mara = make_user("Mara", Role.ENGINEERING, system="support-bot")
    issue_token(owner=mara, name="CI", scopes=["gate:read"], system="support-bot", by=make_admin(), now=NOW)
    client = signed_in(mara)
    page = client.get("/me/").text
    assert "Engineering" in page
    assert "support-bot" in page
    assert client.post("/me/", {"name": "Mara Odegaard"}).status_code == 302
    assert "Mara Odegaard" in client.get("/me/").text
    assert client.post("/me/", {"name": " "}).status_code == 422


def test_names_are_shown_not_run(admin):
    mara = make_user('Eve <script>alert("x")</script>', Role.AUDITOR)
    for path in ("/people/", f"/people/{mara.pk}/"):
        page = admin.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_without_a_mail_server_the_admin_hands_the_link_over(admin, settings):
    admin.post("/people/", {"name": "Mara", "email": "mara@example.test"})
    mara = User.objects.get(email="mara@example.test")
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend", "OPTIONS": {}}}
    assert "/accounts/password/reset/key/" in admin.get(f"/people/{mara.pk}/").text
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": {}}}
    assert "/accounts/password/reset/key/" not in admin.get(f"/people/{mara.pk}/").text
