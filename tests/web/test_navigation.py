import pytest

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
    entries = navigation.entries(navigation.WORK, ask(make_user("Mara", "product"), "/systems/support-bot/"))
    assert [entry.label for entry in entries if entry.here] == ["Systems"]


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("/systems/support-bot/releases/2026.11.2/", "Releases"),
        ("/standards/", "Releases"),
        ("/systems/support-bot/golden-set/", "Systems"),
        ("/requests/req-1/reproduce/", "Requests"),
    ],
)
def test_a_page_belongs_where_a_reader_looks_for_it(ask, path, entry):
    request = ask(make_user("Mara", "product"), path)
    assert [each.label for each in navigation.entries(navigation.WORK, request) if each.here] == [entry]


def test_administration_is_for_admins(ask):
    assert navigation.entries(navigation.ADMIN, ask(make_user("Mara", "product"))) == ()
    assert navigation.entries(navigation.ADMIN, ask(make_admin()))[0].label == "People"


def test_palette_keeps_the_place_for_what_is_typed(ask):
    links = {link.label: link.url for link in navigation.palette(ask(make_user("Mara", "product")))}
    assert links["Find request"].endswith("?q={q}")
    assert links["Sessions"] == "/accounts/sessions/"


def test_a_route_that_does_not_exist_is_left_out(ask):
    entry = navigation.Entry("Nowhere", "no:where", "x")
    assert navigation.entries((entry,), ask(make_admin())) == ()
