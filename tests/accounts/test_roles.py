from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import IntegrityError, connection, transaction
from django.test import Client

from accounts.actions import confirm_grant, deactivate, end_lapsed_roles, grant_role, revoke_role
from accounts.actions.roles import confirmation_refusals
from accounts.errors import AccountsError, LastAdmin, SecondPersonNeeded
from accounts.models import RoleGrant
from accounts.queries import admins, holders, is_admin, roles_of, signers, systems_of
from accounts.roles import Role
from audit import canonical, ledger
from audit.models import Payload
from jobs.models import Event
from tests.factories import NOW, make_admin, make_user
from web.problems import Forbidden, Invalid

pytestmark = pytest.mark.django_db


def second_admin():
    """Once there are two admins, grants wait for a second person."""
    first = make_admin()
    second = make_user("Beth Admin", Role.ADMIN)
    assert admins(demo=False, now=NOW).count() == 2
    return first, second


def said(kind, user):
    entry = ledger.entries(subject=f"user:{user.pk}").filter(kind=kind).get()
    return entry, canonical.loads(bytes(Payload.objects.get(pk=entry.pk).payload))


def test_grants_of_the_only_admin_are_founding_and_count_at_once():
    mara = make_user("Mara", Role.ENGINEERING, system="support-bot")
    grant = mara.grants.get()
    assert grant.founding
    assert grant.confirmed
    assert roles_of(mara, system="support-bot", now=NOW) == {Role.ENGINEERING}
    entry, payload = said("role.granted", mara)
    assert entry.system == "support-bot"
    assert payload["founding"] is True
    assert payload["role"] == "engineering"
    assert Event.objects.filter(topic="accounts.role-granted", subject=f"user:{mara.pk}").count() == 1


def test_a_role_on_one_system_says_nothing_about_another():
    mara = make_user("Mara", Role.ENGINEERING, system="support-bot")
    assert roles_of(mara, system="search", now=NOW) == frozenset()
    assert systems_of(mara, now=NOW) == {"support-bot"}
    assert not holders(Role.ENGINEERING, system="search", now=NOW).exists()


def test_with_two_admins_a_signing_role_waits_for_a_second_person():
    first, second = second_admin()
    mara = make_user("Mara")
    grant = grant_role(user=mara, role=Role.OPERATIONS, system="support-bot", by=first, now=NOW)
    assert grant.pending
    assert roles_of(mara, system="support-bot", now=NOW) == frozenset()
    assert not signers(system="support-bot", now=NOW).filter(pk=mara.pk).exists()

    confirm_grant(grant=grant, by=second, now=NOW)
    assert roles_of(mara, system="support-bot", now=NOW) == {Role.OPERATIONS}
    assert said("role.confirmed", mara)[0].actor_id == second.actor_id
    assert Event.objects.filter(topic="accounts.role-confirmed").count() == 1
    with pytest.raises(SecondPersonNeeded, match="does not wait"):
        confirm_grant(grant=grant, by=second, now=NOW)


def test_an_auditor_needs_no_second_person():
    first, _ = second_admin()
    aud = make_user("Aud")
    assert not grant_role(user=aud, role=Role.AUDITOR, by=first, now=NOW).pending
    assert roles_of(aud, system="any", now=NOW) == {Role.AUDITOR}


def test_who_may_be_the_second_person():
    engineer = make_user("Emil", Role.ENGINEERING, system="support-bot")
    elsewhere = make_user("Elsa", Role.ENGINEERING, system="search")
    operator = make_user("Otto", Role.OPERATIONS, system="support-bot")
    product = make_user("Petra", Role.PRODUCT, system="support-bot")
    first, second = second_admin()
    mara = make_user("Mara")
    grant = grant_role(user=mara, role=Role.OPERATIONS, system="support-bot", by=first, now=NOW)

    def refused(who):
        return confirmation_refusals(grant, by=who, now=NOW)

    assert refused(first) == ["You granted it: another person confirms."]
    assert refused(mara) == ["Nobody confirms their own role."]
    # The other side confirms; the same side, another role or another system does not.
    assert refused(engineer) == []
    assert refused(second) == []
    for who in (operator, product, elsewhere):
        assert refused(who) == ["An admin, or a holder of engineering, confirms it."]
        with pytest.raises(SecondPersonNeeded):
            confirm_grant(grant=grant, by=who, now=NOW)
    assert RoleGrant.objects.get(pk=grant.pk).confirmed_by is None


def test_the_database_refuses_a_grant_confirmed_by_its_giver_or_holder():
    first, _ = second_admin()
    mara = make_user("Mara")
    grant = grant_role(user=mara, role=Role.PRODUCT, by=first, now=NOW)
    for who in (first, mara):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "UPDATE accounts_rolegrant SET confirmed_by_id = %s, confirmed_at = now() WHERE id = %s",
                [who.pk, grant.pk],
            )


def test_one_admin_alone_cannot_make_a_third():
    """Otherwise the second person would be a made-up one."""
    first, _ = second_admin()
    puppet = make_user("Puppet")
    assert grant_role(user=puppet, role=Role.ADMIN, by=first, now=NOW).pending
    assert not is_admin(puppet, now=NOW)


def test_only_admins_grant():
    make_admin()
    petra = make_user("Petra", Role.PRODUCT, Role.ENGINEERING)
    with pytest.raises(Forbidden):
        grant_role(user=petra, role=Role.OPERATIONS, by=petra, now=NOW)
    assert petra.grants.count() == 2


def test_a_role_is_held_once_and_ends_in_the_future():
    mara = make_user("Mara", Role.PRODUCT)
    admin = make_admin()
    with pytest.raises(AccountsError, match="already"):
        grant_role(user=mara, role=Role.PRODUCT, by=admin, now=NOW)
    with pytest.raises(Invalid, match="past"):
        grant_role(user=mara, role=Role.AUDITOR, by=admin, now=NOW, ends_at=NOW)
    with pytest.raises(Invalid, match="whole organisation"):
        grant_role(user=mara, role=Role.ADMIN, system="support-bot", by=admin, now=NOW)
    with pytest.raises(Invalid, match="no role"):
        grant_role(user=mara, role="emperor", by=admin, now=NOW)


def test_a_role_begins_and_ends_by_the_clock():
    admin, mara = make_admin(), make_user("Mara")
    day = timedelta(days=1)
    grant = grant_role(user=mara, role=Role.PRODUCT, by=admin, now=NOW, starts_at=NOW + day, ends_at=NOW + 2 * day)
    assert roles_of(mara, system="", now=NOW) == frozenset()
    assert roles_of(mara, system="", now=NOW + day) == {Role.PRODUCT}
    assert roles_of(mara, system="", now=NOW + 2 * day) == frozenset()
    # Whoever comes next to grant it again finds it ended, though no clock has noticed yet.
    again = grant_role(user=mara, role=Role.PRODUCT, by=admin, now=NOW + 3 * day)
    grant.refresh_from_db()
    assert grant.ended_at == NOW + 3 * day
    assert again.pk != grant.pk


def signed_in_session(user):
    client = Client(headers={"user-agent": "test"})
    client.force_login(user)
    client.get("/me/")  # allauth notes the session as it passes
    key = client.session.session_key
    assert SessionStore().exists(key)
    return key


def test_losing_a_role_ends_the_sessions_and_tells_the_others():
    mara = make_user("Mara", Role.ENGINEERING, Role.AUDITOR, system="support-bot")
    bystander = make_user("Bea", Role.ENGINEERING, system="support-bot")
    key, other = signed_in_session(mara), signed_in_session(bystander)
    grant = mara.grants.get(role=Role.ENGINEERING)
    revoke_role(grant=grant, by=make_admin(), now=NOW, reason="moved to another team")

    assert not SessionStore().exists(key)
    assert SessionStore().exists(other)
    assert roles_of(mara, system="support-bot", now=NOW) == {Role.AUDITOR}
    assert said("role.revoked", mara)[1]["reason"] == "moved to another team"
    event = Event.objects.get(topic="accounts.role-revoked")
    assert event.payload["cause"] == "revoked"
    assert event.payload["role"] == "engineering"
    with pytest.raises(AccountsError, match="ended already"):
        revoke_role(grant=grant, by=make_admin(), now=NOW)


def test_an_end_date_ends_the_sessions_once():
    admin, mara = make_admin(), make_user("Mara")
    hour = timedelta(hours=1)
    grant_role(user=mara, role=Role.OPERATIONS, by=admin, now=NOW, ends_at=NOW + hour)
    key = signed_in_session(mara)
    assert end_lapsed_roles(now=NOW) == 0
    assert SessionStore().exists(key)
    assert end_lapsed_roles(now=NOW + hour) == 1
    assert not SessionStore().exists(key)
    assert end_lapsed_roles(now=NOW + 2 * hour) == 0
    assert Event.objects.get(topic="accounts.role-revoked").payload["cause"] == "ended"


def test_the_last_admin_stays():
    admin = make_admin()
    with pytest.raises(LastAdmin):
        revoke_role(grant=admin.grants.get(), by=admin, now=NOW)
    with pytest.raises(LastAdmin):
        deactivate(user=admin, by=admin, now=NOW, reason="going on holiday")
    admin.refresh_from_db()
    assert admin.is_active
    assert is_admin(admin, now=NOW)


def test_people_give_up_their_own_roles_and_nobody_elses():
    mara = make_user("Mara", Role.ENGINEERING)
    otto = make_user("Otto", Role.OPERATIONS)
    with pytest.raises(Forbidden):
        revoke_role(grant=mara.grants.get(), by=otto, now=NOW)
    revoke_role(grant=mara.grants.get(), by=mara, now=NOW)
    assert roles_of(mara, system="", now=NOW) == frozenset()


def test_the_demo_s_admin_has_no_power_over_real_people():
    make_admin()
    from accounts.actions import create_user
    from accounts.actions.roles import write_grant
    from audit.actors import SYSTEM

    demo = create_user(email="demo@example.test", name="Demo Admin", by=SYSTEM, now=NOW, is_demo=True)
    write_grant(user=demo, role=Role.ADMIN, system="", starts_at=None, ends_at=None, founding=True, by=SYSTEM, now=NOW)
    real = make_user("Real", Role.ENGINEERING)
    with pytest.raises(Forbidden, match="demo"):
        grant_role(user=real, role=Role.OPERATIONS, by=demo, now=NOW)
    with pytest.raises(Forbidden, match="demo"):
        revoke_role(grant=real.grants.get(), by=demo, now=NOW)
    # Nor does the demo end the founding time of the real installation.
    assert make_user("Newcomer", Role.PRODUCT).grants.get().founding


def test_who_takes_the_second_admin_s_role_away_does_not_grant_alone_again():
    """Otherwise one admin alone makes both sides: takes the other admin away, and grants as in the founding time."""
    first, second = second_admin()
    revoke_role(grant=second.grants.get(), by=first, now=NOW)
    mara, otto = make_user("Mara"), make_user("Otto")
    for user, role in ((mara, Role.ENGINEERING), (otto, Role.OPERATIONS), (otto, Role.ADMIN)):
        grant = grant_role(user=user, role=role, by=first, now=NOW)
        assert not grant.founding
        assert roles_of(user, system="", now=NOW) == frozenset()


def test_nor_does_whoever_deactivates_the_second_admin():
    first, second = second_admin()
    deactivate(user=second, by=first, now=NOW, reason="left")
    assert not grant_role(user=make_user("Mara"), role=Role.ENGINEERING, by=first, now=NOW).founding


def test_a_second_admin_who_was_never_confirmed_ends_no_founding_time():
    first, second = second_admin()
    RoleGrant.objects.filter(user=second).update(founding=False)
    assert grant_role(user=make_user("Mara"), role=Role.ENGINEERING, by=first, now=NOW).founding
