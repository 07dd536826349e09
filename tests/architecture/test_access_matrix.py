"""Every address, asked by everybody, with the real ids of a system that some of them do not belong to."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test import override_settings
from django.urls import get_resolver, resolve
from django.utils import timezone

from accounts.signin_urls import closed
from tests.architecture.access import ALLAUTH, ROWS, Access, Who
from tests.architecture.urls import Pattern, patterns, sample_path
from tests.architecture.world import OWN, make_world

# Of two routes of one name, the first answers.
ROUTES: dict[str, Pattern] = {}
for _route in patterns(get_resolver()):
    ROUTES.setdefault(_route.name, _route)
READING = "GET"
METHODS = (READING, "POST", "PUT", "DELETE")
# Addresses that programs ask: a stranger gets 401, not a form to sign in.
API = ("/api/", "/v1/")


def row_of(name: str) -> Access | None:
    if name in ROWS:
        return ROWS[name]
    fitting = [start for start in ALLAUTH if name.startswith(start)]
    return ALLAUTH[max(fitting, key=len)] if fitting else None


# The addresses that can be tried; that there is a row for each is a test of its own.
TABLE = {name: row for name in ROUTES if (row := row_of(name))}


@pytest.fixture(scope="module")
def _folder(tmp_path_factory, _data_folder):
    return shutil.copytree(_data_folder, tmp_path_factory.mktemp("access") / "data")


@pytest.fixture(autouse=True)
def _own_data_folder(settings, _folder):
    """Keys live as long as the world that they belong to."""
    settings.DATA_DIR = _folder


@pytest.fixture(scope="module")
def db(django_db_setup, django_db_blocker):
    """One transaction for the whole module, in place of pytest-django's one for each test: making the world is slow."""
    module = transaction.atomic()
    module._from_testcase = True  # as Django's own TestCase marks it: durable blocks may run inside
    with django_db_blocker.unblock():
        with module:
            yield
            transaction.set_rollback(True)
        connection.close()


@pytest.fixture(scope="module")
def world(db, _folder):
    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(DATA_DIR=_folder, PASSWORD_HASHERS=hashers):
        yield make_world(timezone.now() - timedelta(minutes=5))


def ask(world, name: str, who: str, method: str):
    """The answer, after which the world is as before."""
    row, client = TABLE[name], world.client(who)
    given = {**world.args, "pk": world.ids.get(row.pk), **row.args}
    with transaction.atomic():
        answer = client.generic(method, sample_path(ROUTES[name], **given), **_body(name, method))
        transaction.set_rollback(True)
    assert answer.status_code < 500 or name == "readyz", f"{who} {method} {name}: {answer.status_code}"
    return answer


def _body(name: str, method: str) -> dict[str, str]:
    if not is_api(name):
        return {"content_type": "application/x-www-form-urlencoded"}
    body = TABLE[name].body if method == "POST" else {}
    return {"content_type": "application/json", "data": json.dumps(body)}


def is_api(name: str) -> bool:
    return sample_path(ROUTES[name]).startswith(API)


def leads_to_sign_in(answer) -> bool:
    return answer.status_code == 302 and answer["Location"].startswith("/accounts/login/?next=")


def answers(world, name: str, who: str) -> Iterator[tuple[str, Who, int, bytes]]:
    """The status and the text for each method that the address has at all, and who may use it."""
    row = TABLE[name]
    for method in METHODS:
        answer = ask(world, name, who, method)
        assert answer.status_code != 401 or row.token_only, f"{who} is signed in"
        assert not leads_to_sign_in(answer), f"{who} is signed in"
        if answer.status_code != 405:
            allowed = row.who if method == READING else row.writing or row.who
            text = b"" if answer.streaming else answer.content
            yield method, allowed, answer.status_code, text


def test_every_address_has_a_row():
    assert [name for name in ROUTES if row_of(name) is None] == []


def test_every_row_has_an_address():
    assert set(ROWS) <= set(ROUTES)
    assert [start for start in ALLAUTH if not any(name.startswith(start) for name in ROUTES)] == []


def test_no_address_hides_another():
    hidden = {name for name, route in ROUTES.items() if resolve(sample_path(route)).func is not route.callback}
    assert {name for name in hidden if resolve(sample_path(ROUTES[name])).func is not closed} == set()


@pytest.mark.parametrize("name", TABLE)
def test_a_stranger_is_asked_to_sign_in(world, name):
    public = TABLE[name].who is Who.PUBLIC
    for method in METHODS:
        answer = ask(world, name, "anonymous", method)
        if public:
            assert answer.status_code not in {401, 403} and not leads_to_sign_in(answer), method
        elif is_api(name):
            assert answer.status_code == 401, method
        else:
            assert leads_to_sign_in(answer), (method, answer.status_code)


@pytest.mark.parametrize("who", ["outsider", "member", "auditor", "admin"])
@pytest.mark.parametrize("name", TABLE)
def test_a_person_gets_what_the_row_says(world, name, who):
    row, tried = TABLE[name], 0
    for method, allowed, status, text in answers(world, name, who):
        tried += 1
        if who not in allowed.value:
            assert status == (404 if allowed is Who.MEMBERS else 403), (method, status)
            assert OWN.encode() not in text.replace(b"/" + OWN.encode(), b""), "names what nobody may know of"
            continue
        # An auditor and an admin read everywhere; what else they may do is up to the rules of each act.
        rules = row.may_refuse or (method != READING and allowed is Who.MEMBERS and who != "member")
        assert status != 403 or rules, (method, text[:300])
        assert status != 404 or row.missing_ok, (method, text[:300])
        if who == "outsider":
            assert OWN.encode() not in text, f"{method} shows the outsider the other system"
    assert tried


@pytest.mark.parametrize("name", [name for name in TABLE if is_api(name)])
def test_a_machine_of_another_system_gets_nothing_of_this_one(world, name):
    for method, allowed, status, text in answers(world, name, "token"):
        if allowed is Who.MEMBERS:
            # 403 where no token, or none with these scopes, may do this to any system.
            assert status in {403, 404}, (method, status)
        elif "outsider" not in allowed.value:
            assert status == 403, (method, status)
        assert OWN.encode() not in text.replace(b"/" + OWN.encode(), b""), method
