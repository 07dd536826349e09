from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from audit import derivation, spanlog, vault
from audit.ingest.otlp import decode_json
from audit.ingest.receive import receive
from metrics import windows
from metrics.judges.canary import Limits, judge
from metrics.models import Source, Window
from metrics.problems import Invalid, SourceFailed
from tests.audit import sending
from tests.metrics import hostile
from tests.metrics.prometheus_server import Points, free_port, prometheus
from tests.metrics.scene import NOW, Scene

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def trail_source(make_source: Callable[..., Source]) -> Source:
    return make_source("trail", environments=[])


def pull(source: Source, since: datetime, until: datetime, *, now: datetime | None = None) -> list[Window]:
    return windows.pull_window(
        source=source, release_label="2026.11.2", since=since, until=until, now=now or until + 5 * MINUTE
    )


def series(source: Source, minutes: int = 10) -> tuple[Any, ...]:
    return windows.series(source=source, release_label="2026.11.2", since=START, until=START + minutes * MINUTE)


def test_each_minute_is_one_row_with_its_raw_answer(trail_source: Source) -> None:
    stored = pull(trail_source, START, START + 3.5 * MINUTE)
    assert [(row.since, row.until) for row in stored] == [
        (START + n * MINUTE, START + (n + 1) * MINUTE) for n in range(3)
    ]
    assert {(row.answered, row.requests, row.errors) for row in stored} == {(True, 0, 0)}
    assert b'"release": "2026.11.2"' in vault.get(stored[0].raw_digest)
    assert [one.raw_digest for one in series(trail_source)] == [stored[0].raw_digest] * 3


def test_asked_again_nothing_doubles_and_the_rest_follows(trail_source: Source) -> None:
    pull(trail_source, START, START + 2 * MINUTE)
    kept = list(Window.objects.values_list("pk", "asked_at"))
    pull(trail_source, START, START + 5 * MINUTE)
    again = pull(trail_source, START + 2 * MINUTE, START + 5 * MINUTE)
    assert [row.since for row in again] == [START + n * MINUTE for n in (2, 3, 4)]
    assert Window.objects.count() == 5
    assert list(Window.objects.values_list("pk", "asked_at")[:2]) == kept


def test_a_window_is_not_asked_for_before_it_has_settled(trail_source: Source) -> None:
    stored = pull(trail_source, START, START + 3 * MINUTE, now=START + 3 * MINUTE)
    assert len(stored) == 2, "spans of the last minute are still coming in"
    assert pull(trail_source, START, START, now=START) == []


def test_after_a_long_outage_it_goes_on_in_pieces(trail_source: Source) -> None:
    first = pull(trail_source, START, START + 150 * MINUTE)
    assert len(first) == windows.AT_ONCE
    rest = pull(trail_source, first[-1].until, START + 150 * MINUTE)
    assert (len(rest), Window.objects.count()) == (30, 150)


def test_the_trail_waits_for_what_is_still_being_summed_up(trail_source: Source) -> None:
    """After an outage the watch and the summing up start together: the watch must not count what is half there."""
    sent = sending.chat_trace(start=START, readiness__release="2026.11.2")
    request = decode_json(sending.request_json(*sent))
    receive(request, system=trail_source.system.slug, environment="production", now=START + timedelta(seconds=1))
    [silent] = pull(trail_source, START, START + MINUTE)
    assert not silent.answered
    assert "still being summed up" in silent.reason
    spanlog.sequence(now=START + 5 * MINUTE)
    derivation.derive(now=START + 5 * MINUTE)
    [counted] = pull(trail_source, START, START + MINUTE)
    assert (counted.answered, counted.requests) == (True, 1)


def test_evaluation_sources_have_no_windows(make_source: Callable[..., Source]) -> None:
    with pytest.raises(Invalid, match="gives evaluations, not windows"):
        pull(make_source(), START, START + MINUTE)


def test_an_answered_window_never_changes_and_none_stands_twice(trail_source: Source) -> None:
    (row,) = pull(trail_source, START, START + MINUTE)
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        Window.objects.filter(pk=row.pk).update(errors=0, requests=900)
    row.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


@pytest.fixture
def broken(make_source: Callable[..., Source], settings: Any) -> Source:
    port = free_port()
    settings.EGRESS_ALLOW = [f"127.0.0.1:{port}"]
    return make_source("prometheus", url=f"http://127.0.0.1:{port}")


def test_a_silent_source_leaves_unanswered_windows_and_is_asked_again(
    broken: Source, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = START + 4 * MINUTE
    rows = pull(broken, START, START + 3 * MINUTE, now=now)
    assert {(row.answered, row.requests, row.raw_digest) for row in rows} == {(False, None, "")}
    assert "could not be reached" in rows[0].reason
    broken.refresh_from_db()
    assert (broken.state, "could not be reached" in broken.last_error) == ("failing", True)
    body = b'{"status": "success", "data": {"result": []}}'
    with hostile.serving(hostile.plain(body)) as port:
        Source.objects.filter(pk=broken.pk).update(config={"url": f"http://127.0.0.1:{port}"})
        broken.refresh_from_db()
        settings.EGRESS_ALLOW = [f"127.0.0.1:{port}"]
        after = pull(broken, START + 3 * MINUTE, START + 4 * MINUTE, now=now + MINUTE)
    assert len(after) == 1
    reasons = set(Window.objects.values_list("reason", flat=True))
    assert reasons == {'There is no llm_requests_total with release="2026.11.2".'}
    assert Window.objects.filter(raw_digest="").count() == 0
    broken.refresh_from_db()
    assert broken.state == "ok"


def test_a_worker_killed_in_the_middle_loses_and_doubles_no_window(
    trail_source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull(trail_source, START, START + 2 * MINUTE)
    real = windows._store

    def killed(*args: Any, **more: Any) -> None:
        real(*args, **more)
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(windows, "_store", killed)
        with pytest.raises(SystemExit):
            pull(trail_source, START + 2 * MINUTE, START + 6 * MINUTE)
    assert Window.objects.count() == 2, "row and raw answer commit together or not at all"
    pull(trail_source, START, START + 6 * MINUTE)
    assert [one.since for one in series(trail_source)] == [START + n * MINUTE for n in range(6)]


def test_two_workers_at_once_store_each_window_once(trail_source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    real = windows._facts

    def overtaken(*args: Any, **more: Any) -> Any:
        found = real(*args, **more)
        with monkeypatch.context() as patch:
            patch.setattr(windows, "_facts", real)
            pull(trail_source, START, START + 4 * MINUTE)
        return found

    monkeypatch.setattr(windows, "_facts", overtaken)
    assert len(pull(trail_source, START, START + 4 * MINUTE)) == 4
    assert Window.objects.count() == 4


def history() -> dict[str, Points]:
    """Twenty-five hours of one request a second; from hour 24 on every twentieth fails."""
    label = 'release="2026.11.2"'
    at = [START + n * 30 * timedelta(seconds=1) for n in range(-10, 25 * 120 + 1)]

    def counted(moment: datetime) -> int:
        return int((moment - START).total_seconds()) + 300

    def failed(moment: datetime) -> int:
        return max(0, counted(moment) - 300 - 24 * 3600) // 20

    made = {
        f'llm_requests_total{{{label},outcome="ok"}}': [(m, counted(m) - failed(m)) for m in at],
        f'llm_requests_total{{{label},outcome="error"}}': [(m, failed(m)) for m in at],
    }
    for le in ("2", "+Inf"):
        made[f'llm_request_duration_seconds_bucket{{{label},le="{le}"}}'] = [(m, counted(m)) for m in at]
    return made


@pytest.fixture
def server(tmp_path: Path, settings: Any) -> Iterator[str]:
    with prometheus(tmp_path, history()) as url:
        settings.EGRESS_ALLOW = [url.removeprefix("http://")]
        yield url


LIMITS = Limits(
    error_rate_max=Decimal("0.015"),
    p95_ms_max=2000,
    hours=24,
    coverage=Decimal("0.95"),
    failure_limit=0,
    min_requests=300,
)


def test_a_day_of_a_real_prometheus_is_watched_passes_and_then_breaches(
    server: str, make_source: Callable[..., Source]
) -> None:
    """Twenty-four hours in seconds: a look every two hours, each window asked for once."""
    source = make_source("prometheus", url=server)
    since = START
    while since < START + timedelta(hours=24):
        stored = pull(source, since, START + timedelta(hours=24), now=NOW)
        since = stored[-1].until
    found = windows.series(source=source, release_label="2026.11.2", since=START, until=since)
    verdict = judge(found, LIMITS, since=START, until=since)
    assert (len(found), verdict.requests, verdict.errors) == (24 * 60, 24 * 3600, 0)
    assert (verdict.outcome, verdict.covered_hours) == ("pass", Decimal(24))
    assert verdict.p95_ms == Decimal(1900)
    pull(source, since, since + 15 * MINUTE, now=NOW)
    found = windows.series(source=source, release_label="2026.11.2", since=START, until=since + 15 * MINUTE)
    breached = judge(found, LIMITS, since=START, until=since + 15 * MINUTE)
    assert breached.outcome == "fail"
    assert breached.reasons[0].startswith("Error rate 5 % (")
    assert breached.breached[0].since - since < 10 * MINUTE


def test_a_source_that_lost_its_label_is_told_not_counted(
    server: str, make_source: Callable[..., Source], scene: Scene
) -> None:
    source = make_source("prometheus", url=server, error_label="status")
    (row,) = pull(source, START, START + MINUTE, now=NOW)
    assert not row.answered
    assert "without the label status" in row.reason
    assert issubclass(SourceFailed, Exception)
