"""`Idempotency-Key`: the same request twice is done once; the same key for another request is refused."""

from typing import Any

import pytest
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate

from accounts.models import User
from jobs.models import Event
from jobs.outbox import emit
from tests.factories import NOW, make_user
from web.api import ApiView
from web.idempotency import idempotent
from web.models import IdempotencyKey
from web.problems import Conflict

pytestmark = pytest.mark.django_db


class Work(ApiView):
    """Leaves one event for each time that it is really done."""

    @idempotent
    def post(self, request: Request) -> Response:
        event = emit("tests.work", subject="work:1", payload={}, now=NOW)
        if request.data.get("refuse"):
            raise Conflict("Not now.")
        return Response({"id": event.pk, "said": request.data.get("say")}, status=201)


@pytest.fixture
def user() -> User:
    return make_user("Mara")


def send(user: User, key: str | None, body: dict[str, Any], path: str = "/api/work") -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    request = APIRequestFactory().post(path, body, format="json", headers=headers)
    force_authenticate(request, user)
    return Work.as_view()(request)


def done() -> int:
    return Event.objects.filter(topic="tests.work").count()


def test_a_retry_gets_the_first_answer_and_does_nothing(user: User) -> None:
    first = send(user, "key-1", {"say": "hello"})
    again = send(user, "key-1", {"say": "hello"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.data == first.data
    assert again["Idempotent-Replay"] == "true"
    assert "Idempotent-Replay" not in first
    assert done() == 1


def test_the_same_key_for_another_request_is_refused(user: User) -> None:
    send(user, "key-1", {"say": "hello"})
    for answer in (send(user, "key-1", {"say": "goodbye"}), send(user, "key-1", {"say": "hello"}, "/api/other")):
        assert answer.status_code == 422
        assert "Use a new key" in answer.data["detail"]
    assert done() == 1


def test_without_a_key_everything_is_done(user: User) -> None:
    send(user, None, {})
    send(user, None, {})
    assert done() == 2
    assert not IdempotencyKey.objects.exists()


def test_keys_of_two_people_are_two_keys(user: User) -> None:
    send(user, "key-1", {})
    send(make_user("Tomas"), "key-1", {})
    assert done() == 2


def test_what_was_refused_may_be_tried_again_with_the_same_key(user: User) -> None:
    refused = send(user, "key-1", {"refuse": True})
    assert refused.status_code == 409
    assert refused["Content-Type"].startswith("application/problem+json") or refused.data["detail"] == "Not now."
    assert not IdempotencyKey.objects.exists(), "work and answer are stored together or not at all"
    assert done() == 0
    assert send(user, "key-1", {}).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_a_length(user: User, key: str) -> None:
    answer = send(user, key, {})
    assert answer.status_code == 400
    assert "1 to 255 characters" in answer.data["detail"]
    assert done() == 0
