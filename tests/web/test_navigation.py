import pytest
from django.urls import resolve

from tests.factories import make_admin, make_user
from web import navigation

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(rf):
    def asked(user, path="/systems/"):
        request = rf.get(path)
        request.user = user
        return request

    return asked


def test_the_open_page_is_marked(ask):
    entries = list(navigation.entries(navigation.WORK, ask(make_user("Mara", "product"), "/systems/support-bot/")))
    assert [entry["label"] for entry in entries if entry["here"]] == ["Systems"]


def test_a_release_belongs_to_releases_although_its_address_begins_with_its_system(ask):
    path = "/systems/support-bot/releases/2026.11.2/"
    request = ask(make_user("Mara", "product"), path)
    request.resolver_match = resolve(path)
    assert [entry["label"] for entry in navigation.entries(navigation.WORK, request) if entry["here"]] == ["Releases"]


def test_administration_is_for_admins(ask):
    assert list(navigation.entries(navigation.ADMIN, ask(make_user("Mara", "product")))) == []
    assert next(navigation.entries(navigation.ADMIN, ask(make_admin())))["label"] == "People"


def test_palette_keeps_the_place_for_what_is_typed(ask):
    links = {link["label"]: link["url"] for link in navigation.palette(ask(make_user("Mara", "product")))}
    assert links["Find request"].endswith("?q={q}")
    assert links["Sessions"] == "/accounts/sessions/"


def test_a_route_that_does_not_exist_is_left_out(ask):
    entry = navigation.Entry("Nowhere", "no:where", "x")
    assert list(navigation.entries((entry,), ask(make_admin()))) == []
