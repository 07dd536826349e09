import pytest
from allauth.mfa.models import Authenticator
from django.contrib.sessions.backends.db import SessionStore
from django.db import IntegrityError, connection, transaction
from django.test import Client

from accounts.actions import confirm_factor_reset, enrol_totp, request_factor_reset, revoke_role
from accounts.actions.factors import reset_refusals
from accounts.errors import AccountsError, SecondPersonNeeded
from accounts.queries import factors_of, must_enrol
from accounts.roles import Role
from audit import ledger
from jobs.models import Event
from tests.factories import NOW, make_admin, make_user
from web.problems import Forbidden, Invalid

pytestmark = pytest.mark.django_db

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def test_seeds_are_encrypted_where_they_are_kept():
    mara = make_user("Mara", Role.ENGINEERING)
    assert must_enrol(mara, now=NOW)
    enrol_totp(mara, secret=SEED, now=NOW)
    assert not must_enrol(mara, now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM mfa_authenticator t")
        [row] = cursor.fetchone()
    assert SEED not in row
    assert "enc1:" in row


def test_who_must_have_a_second_factor():
    assert must_enrol(make_admin(), now=NOW)
    assert must_enrol(make_user("Petra", Role.PRODUCT, system="support-bot"), now=NOW)
    assert not must_enrol(make_user("Aud", Role.AUDITOR), now=NOW)
    assert not must_enrol(make_user("Nobody"), now=NOW)


def test_recovery_codes_are_no_second_factor():
    mara = make_user("Mara", Role.ENGINEERING)
    Authenticator.objects.create(user=mara, type="recovery_codes", data={})
    assert must_enrol(mara, now=NOW)
    assert factors_of(mara) == {}


def test_a_signer_s_factors_take_two_people():
    first = make_admin()
    mara = make_user("Mara", Role.ENGINEERING, system="support-bot")
    otto = make_user("Otto", Role.OPERATIONS)
    second = make_user("Beth Admin", Role.ADMIN)
    enrol_totp(mara, secret=SEED, now=NOW)
    client = Client()
    client.force_login(mara)
    client.get("/me/")
    key = client.session.session_key

    reset = request_factor_reset(user=mara, reason="lost her phone", by=first, now=NOW)
    assert reset.done_at is None
    assert factors_of(mara) == {"totp": 1}
    assert reset_refusals(reset, by=first, now=NOW) == ["You asked for it: another person confirms."]
    assert reset_refusals(reset, by=mara, now=NOW) == ["Nobody confirms the reset of their own factors."]
    for who in (first, mara):
        with pytest.raises(SecondPersonNeeded):
            confirm_factor_reset(reset=reset, by=who, now=NOW)
    with pytest.raises(AccountsError, match="waits for its second person"):
        request_factor_reset(user=mara, reason="again", by=second, now=NOW)
    assert SessionStore().exists(key)

    confirm_factor_reset(reset=reset, by=otto, now=NOW)
    assert factors_of(mara) == {}
    assert must_enrol(mara, now=NOW)
    assert not SessionStore().exists(key)
    kinds = [entry.kind for entry in ledger.entries(subject=f"user:{mara.pk}")]
    assert kinds[-2:] == ["factors.reset-requested", "factors.reset"]
    assert Event.objects.filter(topic="accounts.factors-reset").count() == 1
    assert reset_refusals(reset, by=second, now=NOW) == []  # read before it was done
    reset.refresh_from_db()
    assert reset_refusals(reset, by=second, now=NOW) == ["This reset was done already."]


def test_the_database_refuses_a_reset_confirmed_by_who_asked():
    first = make_admin()
    mara = make_user("Mara", Role.ENGINEERING)
    make_user("Beth Admin", Role.ADMIN)
    reset = request_factor_reset(user=mara, reason="lost", by=first, now=NOW)
    for who in (first, mara):
        with pytest.raises(IntegrityError), transaction.atomic():
            type(reset).objects.filter(pk=reset.pk).update(confirmed_by=who, done_at=NOW)


def test_an_auditor_s_factors_take_one_admin():
    make_admin()
    aud = make_user("Aud", Role.AUDITOR)
    make_user("Beth Admin", Role.ADMIN)
    enrol_totp(aud, secret=SEED, now=NOW)
    assert request_factor_reset(user=aud, reason="new phone", by=make_admin(), now=NOW).done_at == NOW
    assert factors_of(aud) == {}


def test_resets_need_an_admin_and_a_reason():
    mara, otto = make_user("Mara", Role.ENGINEERING), make_user("Otto", Role.OPERATIONS)
    with pytest.raises(Forbidden):
        request_factor_reset(user=mara, reason="x", by=otto, now=NOW)
    with pytest.raises(Invalid):
        request_factor_reset(user=mara, reason=" ", by=make_admin(), now=NOW)


def test_taking_the_second_admin_s_role_away_does_not_make_a_reset_a_matter_of_one():
    first = make_admin()
    mara = make_user("Mara", Role.ENGINEERING)
    second = make_user("Beth Admin", Role.ADMIN)
    revoke_role(grant=second.grants.get(), by=first, now=NOW)
    assert request_factor_reset(user=mara, reason="lost her phone", by=first, now=NOW).done_at is None
