from types import SimpleNamespace

import pytest
from django.contrib.auth.models import AnonymousUser

from accounts.access import check_system, person, require_admin, require_member, require_role, visible_systems
from accounts.actions import issue_token
from accounts.roles import Role
from tests.factories import NOW, make_admin, make_user
from web.problems import Forbidden, NotFound, Unauthenticated

pytestmark = pytest.mark.django_db


def ask(user, token=None):
    return SimpleNamespace(user=user, auth=token)


def test_members_see_their_system_and_no_other():
    mara = make_user("Mara", Role.ENGINEERING, Role.PRODUCT, system="support-bot")
    assert require_member(ask(mara), "support-bot") == {Role.ENGINEERING, Role.PRODUCT}
    assert visible_systems(ask(mara), now=NOW) == {"support-bot"}
    with pytest.raises(NotFound):
        require_member(ask(mara), "search")


def test_an_auditor_of_the_organisation_sees_all():
    aud = make_user("Aud", Role.AUDITOR)
    assert require_member(ask(aud), "anything") == {Role.AUDITOR}
    assert visible_systems(ask(aud), now=NOW) is None


def test_a_token_never_sees_more_than_its_system_nor_than_its_owner():
    aud = make_user("Aud", Role.AUDITOR)
    token, _ = issue_token(owner=aud, name="CI", scopes=["trail:read"], system="support-bot", by=make_admin(), now=NOW)
    assert check_system(ask(aud, token), "support-bot", now=NOW) == {Role.AUDITOR}
    assert visible_systems(ask(aud, token), now=NOW) == {"support-bot"}
    with pytest.raises(NotFound):
        check_system(ask(aud, token), "search", now=NOW)

    mara = make_user("Mara", Role.PRODUCT, system="support-bot")
    token.owner = mara
    aud.grants.update(revoked_at=NOW, revoked_by=make_admin())
    with pytest.raises(NotFound):
        check_system(ask(aud, token), "support-bot", now=NOW)
    assert visible_systems(ask(aud, token), now=NOW) == set()


def test_a_missing_role_is_said_to_members_only():
    mara = make_user("Mara", Role.PRODUCT, system="support-bot")
    require_role(mara, Role.PRODUCT, Role.ENGINEERING, system="support-bot", now=NOW)
    with pytest.raises(Forbidden, match="This takes engineering or operations. You are product here."):
        require_role(mara, Role.ENGINEERING, Role.OPERATIONS, system="support-bot", now=NOW)
    with pytest.raises(NotFound):
        require_role(mara, Role.PRODUCT, system="search", now=NOW)
    with pytest.raises(Forbidden):
        require_admin(mara, now=NOW)
    require_admin(make_admin(), now=NOW)


def test_an_admin_is_nothing_else_by_being_admin():
    with pytest.raises(Forbidden):
        require_role(make_admin(), Role.ENGINEERING, system="support-bot", now=NOW)


def test_strangers_are_asked_to_sign_in():
    with pytest.raises(Unauthenticated):
        person(ask(AnonymousUser()))
