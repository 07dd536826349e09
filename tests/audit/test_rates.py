"""Rates of any window: whole quarter hours from the rollups, its ends from the rows; empty hours are there too."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from audit import rates
from audit.models import Request
from tests.audit.sending import chat_trace
from tests.audit.trailing import new_system, send, settle

pytestmark = pytest.mark.django_db


@pytest.fixture
def day():
    """Forty requests over seven hours, at uneven minutes; every eighth of another release."""
    system, now = new_system("rates"), timezone.now()
    began = (now - timedelta(hours=9)).replace(minute=7, second=13, microsecond=5)
    for number in range(40):
        start = began + timedelta(minutes=11 * number)
        send(*chat_trace(start=start, release="2026.11.1" if number % 8 == 0 else "2026.11.2"), system=system)
    settle()
    return system, began


def test_any_window_counts_what_the_rows_say(day):
    system, began = day
    for since, until in (
        (began, began + timedelta(hours=7, minutes=10)),  # begins and ends within a quarter
        (began + timedelta(minutes=60), began + timedelta(minutes=61)),  # within one minute
        (began.replace(minute=0, second=0, microsecond=0), began + timedelta(hours=2)),
        (began - timedelta(hours=3), began),  # ends where the first request begins
    ):
        rows = Request.objects.filter(system=system, started_at__gte=since, started_at__lt=until)
        found = rates.rates(system, since=since, until=until)
        assert found.requests == rows.count()
        assert found.cost_nanousd == 560_000 * rows.count()
        assert sum(piece.requests for piece in found.bins) == found.requests
        assert (found.bins[0].since, found.bins[-1].until) == (since, until)
        for piece in found.bins:
            in_bin = rows.filter(started_at__gte=piece.since, started_at__lt=piece.until)
            assert piece.requests == in_bin.count(), f"{piece.since} to {piece.until}"


def test_hours_without_requests_are_there_and_have_no_percentile(day):
    system, began = day
    found = rates.rates(system, since=began - timedelta(hours=5), until=began)
    assert found.requests == 0 and found.latency_p95_ms is None
    assert len(found.bins) == 6, "five whole hours lie over six clock hours"
    assert all(piece.requests == 0 and piece.latency_p95_ms is None for piece in found.bins)


def test_filters_narrow_and_the_percentile_is_right_within_one_per_cent(day):
    system, began = day
    until = began + timedelta(hours=8)
    found = rates.rates(system, since=began, until=until, release="2026.11.1")
    assert found.requests == 5
    assert abs(found.latency_p95_ms - Decimal(500)) <= 5
    assert rates.rates(system, since=began, until=until, environments=["staging"]).requests == 0


def test_a_month_of_hours_is_walked_once(monkeypatch):
    """The time grew with the square of the hours: each hour walked every piece again."""
    since = datetime(2026, 10, 1, tzinfo=UTC)
    looked_at = []

    class Piece(rates._Piece):
        def __getattribute__(self, name):
            if name == "at":
                looked_at.append(1)
            return super().__getattribute__(name)

    pieces = [Piece(since + timedelta(minutes=15 * number), rates.Counter(requests=1), []) for number in range(2_880)]
    monkeypatch.setattr(rates, "_pieces", lambda *_: iter(pieces))
    found = rates.rates("bot", since=since, until=since + timedelta(days=30))
    assert (found.requests, len(found.bins)) == (2_880, 720)
    assert {piece.requests for piece in found.bins} == {4}
    assert len(looked_at) <= 2 * len(pieces)
