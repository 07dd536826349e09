"""A prepared query gives what its queryset gives, each time anew, and PostgreSQL plans it once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Concat
from django.test.utils import CaptureQueriesContext

from accounts.models import RoleGrant, User
from accounts.queries import living_grants
from jobs.models import Event
from jobs.outbox import emit
from tests import factories
from web.prepared import Prepared

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)


def event(subject: str, **payload: Any) -> Event:
    return emit("tests.prepared", subject=subject, payload=payload, now=AT)


def test_it_gives_what_the_queryset_gives() -> None:
    grants = factories.make_whole_system() and RoleGrant.objects.select_related("user")
    asked = Prepared(lambda user, now: living_grants(now=now).filter(user=user).select_related("user").order_by("pk"))
    for user in User.objects.all():
        for now in (AT, AT + timedelta(days=20_000), datetime.now(UTC)):
            plain = list(living_grants(now=now).filter(user=user).select_related("user").order_by("pk"))
            found = asked(user=user.pk, now=now)
            assert found == plain
            with CaptureQueriesContext(connection) as queries:
                assert [(row.user.name, row.role) for row in found] == [(row.user.name, row.role) for row in plain]
            assert not queries.captured_queries, "what was joined is there"
    assert grants.exists()


def test_it_asks_each_time_anew() -> None:
    asked = Prepared(lambda subject: Event.objects.filter(subject=subject).values_list("payload", flat=True))
    assert asked(subject="a") == []
    event("a", n=1)
    assert asked(subject="a") == [{"n": 1}]
    assert asked(subject="b") == []
    Event.objects.filter(subject="a").delete()
    assert asked(subject="a") == []


def test_django_writes_it_once_and_postgresql_plans_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def events(subject: Any) -> Any:
        written.append(subject)
        return Event.objects.filter(subject=subject).values_list("subject", "topic")

    asked = Prepared(events)
    event("often")
    for _ in range(20):
        assert asked(subject="often") == [("often", "tests.prepared")]
    assert len(written) == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(generic_plans) FROM pg_prepared_statements WHERE statement LIKE '%jobs_event%'")
        assert cursor.fetchone()[0] > 0


@pytest.mark.parametrize("text", ["100 %", "%s", "%%", "it's", 'a "b" \\ c', "", "%(subject)s"])
def test_what_is_fixed_is_written_into_the_text(text: str) -> None:
    asked = Prepared(
        lambda subject: (
            Event.objects.filter(subject=subject, topic="tests.prepared")
            .annotate(said=Concat(F("subject"), Value(text)))
            .values_list("said", flat=True)
        )
    )
    event("x"), event("y")
    assert asked(subject="x") == ["x" + text]


@pytest.mark.parametrize("text", ["100 %", "%s", "it's", "' OR '1'='1", "\\"])
def test_a_value_is_a_value(text: str) -> None:
    event(text), event("another")
    asked = Prepared(lambda subject: Event.objects.filter(subject=subject).values_list("subject", flat=True))
    assert asked(subject=text) == [text]


def test_nothing_is_no_value() -> None:
    """`= NULL` is true of no row: the row without it would be missed."""
    asked = Prepared(lambda relayed: Event.objects.filter(relayed_at=relayed))
    with pytest.raises(TypeError, match="None"):
        asked(relayed=None)


def test_what_the_text_does_not_ask_for_is_refused() -> None:
    """The lambda runs once: what it worked out from a value, instead of asking with it, would stay for ever."""
    asked = Prepared(lambda subject, late: Event.objects.filter(subject=subject)[: 1 if late else 2])
    with pytest.raises(TypeError, match="late"):
        asked(subject="a", late=True)


def test_binary_answers_are_the_same() -> None:
    factories.make_whole_system()
    columns = ("pk", "role", "system", "starts_at", "ends_at", "founding")
    text, binary = (
        Prepared(
            lambda now: RoleGrant.objects.filter(starts_at__lte=now).order_by("pk").values_list(*columns), binary=b
        )
        for b in (False, True)
    )
    for _ in range(8):  # as custom and as kept plans
        assert text(now=datetime.now(UTC)) == binary(now=datetime.now(UTC)) != []
