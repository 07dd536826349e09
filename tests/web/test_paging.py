"""Keyset paging over real rows: every row once, in order, in both directions, whatever is added meanwhile."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from jobs.models import Event
from jobs.outbox import emit
from web.paging import keyset_page
from web.problems import BadRequest

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
ORDER = ("-created_at", "-pk")


@pytest.fixture
def events() -> list[Event]:
    """Twelve, in threes of the same time, so that the time alone does not tell them apart."""
    return [emit("tests.paging", subject=f"n:{n}", payload={}, now=AT + timedelta(minutes=n // 3)) for n in range(12)]


def walk(size: int, cursor: str | None = None, *, back: bool = False) -> list[str]:
    seen: list[str] = []
    while True:
        page = keyset_page(Event.objects.filter(topic="tests.paging"), order=ORDER, cursor=cursor, size=size)
        seen = [event.subject for event in page.items] + seen if back else seen + [e.subject for e in page.items]
        cursor = page.previous_cursor if back else page.next_cursor
        if cursor is None:
            return seen


@pytest.mark.parametrize("size", [1, 2, 3, 5, 12, 50])
def test_every_row_comes_once_in_order(events: list[Event], size: int) -> None:
    assert walk(size) == [event.subject for event in reversed(events)]


def test_the_way_back_shows_the_same_pages(events: list[Event]) -> None:
    pages, cursor = [], None
    for _ in range(3):
        page = keyset_page(Event.objects.filter(topic="tests.paging"), order=ORDER, cursor=cursor, size=5)
        pages.append(page)
        cursor = page.next_cursor
    assert pages[-1].next_cursor is None
    assert pages[0].previous_cursor is None
    back = keyset_page(Event.objects.filter(topic="tests.paging"), order=ORDER, cursor=pages[2].previous_cursor, size=5)
    assert [event.pk for event in back.items] == [event.pk for event in pages[1].items]


def test_a_field_that_is_the_same_in_all_rows_changes_no_page_in_either_direction(events: list[Event]) -> None:
    emit("tests.other", subject="n:other", payload={}, now=AT + timedelta(hours=1))
    rows = Event.objects.filter(topic__range=("tests.paging", "tests.paging"))
    plain, within = (
        [keyset_page(rows, order=ORDER, cursor=cursor, size=5, within=field) for cursor in cursors(rows)]
        for field in ("", "topic")
    )
    assert [page.items for page in within] == [page.items for page in plain]
    assert [(page.next_cursor, page.previous_cursor) for page in within] == [
        (page.next_cursor, page.previous_cursor) for page in plain
    ]


def cursors(rows: QuerySet[Event]) -> list[str | None]:
    """Of the first pages, forwards and then backwards."""
    first = keyset_page(rows, order=ORDER, size=5)
    second = keyset_page(rows, order=ORDER, size=5, cursor=first.next_cursor)
    return [None, first.next_cursor, second.next_cursor, second.previous_cursor]


def test_what_is_added_meanwhile_moves_nothing(events: list[Event]) -> None:
    first = keyset_page(Event.objects.filter(topic="tests.paging"), order=ORDER, size=5)
    emit("tests.paging", subject="n:new", payload={}, now=AT + timedelta(hours=1))
    assert walk(5, first.next_cursor) == [event.subject for event in reversed(events)][5:]


def test_a_page_is_one_query_without_offset(events: list[Event]) -> None:
    first = keyset_page(Event.objects.filter(topic="tests.paging"), order=ORDER, size=5)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        keyset_page(Event.objects.filter(topic="tests.paging"), order=ORDER, cursor=first.next_cursor, size=5)
    [query] = queries.captured_queries
    assert "OFFSET" not in query["sql"]
    assert "LIMIT 6" in query["sql"]


def test_no_rows_make_an_empty_page() -> None:
    page = keyset_page(Event.objects.filter(topic="tests.nothing"), order=ORDER)
    assert (page.items, page.next_cursor, page.previous_cursor) == ([], None, None)


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        "%00",
        "é",
        encoded(5),
        encoded({}),
        encoded([False]),
        encoded([False, "2026-11-01T12:00:00+00:00"]),
        encoded([False, "2026-11-01T12:00:00+00:00", 1, 2]),
        encoded([False, "yesterday", 1]),
        encoded([False, "2026-11-01T12:00:00+00:00", [1]]),
        encoded([False, "2026-11-01T12:00:00+00:00", None]),
        encoded([False, "2026-11-01T12:00:00+00:00", "one"]),
        base64.urlsafe_b64encode(b"[" * 3000).decode(),
    ],
)
def test_an_address_that_somebody_made_up_is_refused(events: list[Event], cursor: str) -> None:
    with pytest.raises(BadRequest, match="Start again from the first page"):
        keyset_page(Event.objects.all(), order=ORDER, cursor=cursor)


def test_text_that_no_database_takes_is_refused(events: list[Event]) -> None:
    with pytest.raises(BadRequest):
        keyset_page(Event.objects.all(), order=("topic", "pk"), cursor=encoded([False, "a\x00b", 1]))


def test_a_number_beyond_the_column_finds_nothing_and_breaks_nothing(events: list[Event]) -> None:
    page = keyset_page(Event.objects.all(), order=("-pk",), cursor=encoded([True, 10**30]))
    assert page.items == []
