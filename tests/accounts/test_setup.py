from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.actions import check_setup_token, complete_setup, create_user, setup_link
from accounts.actions.roles import write_grant
from accounts.models import User
from accounts.queries import is_admin
from accounts.roles import Role
from audit.actors import SYSTEM
from tests.factories import NOW, PASSWORD
from web.problems import Invalid, NotFound

pytestmark = pytest.mark.django_db


def token_of(link):
    return link.rstrip("/").rsplit("/", 1)[-1]


def test_the_link_makes_one_founding_admin_and_no_second_one():
    link, another = setup_link(NOW), setup_link(NOW + timedelta(minutes=1))
    user = complete_setup(token=token_of(link), email="ada@example.test", name="Ada", password=PASSWORD, now=NOW)
    assert is_admin(user, now=NOW)
    assert user.grants.get().founding
    assert setup_link(NOW) is None
    for used in (link, another):
        with pytest.raises(NotFound, match="used already"):
            complete_setup(token=token_of(used), email="eve@example.test", name="Eve", password=PASSWORD, now=NOW)
    assert User.objects.count() == 1


def test_a_forged_or_old_link_opens_nothing():
    token = token_of(setup_link(NOW))
    for forged in ("", "x", token[:-1], token + "A", "A" + token):
        with pytest.raises(NotFound, match="not one of ours"):
            check_setup_token(forged, now=NOW)
    check_setup_token(token, now=NOW + timedelta(hours=23))
    with pytest.raises(NotFound, match="expired"):
        check_setup_token(token, now=NOW + timedelta(hours=24))


def test_a_weak_password_is_told_why_and_makes_nobody():
    token = token_of(setup_link(NOW))
    with pytest.raises(Invalid) as refused:
        complete_setup(token=token, email="ada@example.test", name="Ada", password="short", now=NOW)
    assert any("12 characters" in reason for reason in refused.value.reasons)
    assert not User.objects.exists()


def test_demo_admins_do_not_set_up_an_installation():
    demo = create_user(email="demo@example.test", name="Demo", by=SYSTEM, now=NOW, is_demo=True)
    write_grant(user=demo, role=Role.ADMIN, system="", starts_at=None, ends_at=None, founding=True, by=SYSTEM, now=NOW)
    assert setup_link(NOW) is not None


def test_the_page_makes_the_admin_and_sends_them_to_enrol():
    client = Client()
    link = setup_link(timezone.now())
    page = client.get(link)
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    refused = client.post(link, {"name": "Ada", "email": "ada@example.test", "password": "short"})
    assert refused.status_code == 422
    assert "at least 12 characters" in refused.text
    done = client.post(link, {"name": "Ada", "email": "ada@example.test", "password": PASSWORD})
    assert done["Location"] == "/accounts/enrol/"
    # A second factor comes before anything else, and the sign-in of a moment ago is proof enough to add it.
    assert client.get("/people/")["Location"] == "/accounts/enrol/"
    assert client.get("/accounts/2fa/totp/activate/").status_code == 200
    assert Client().get(link).status_code == 404
