"""How fast a trail is read: `python -m bench.trail browse`, after `fill`. Over HTTP, each with a connection of its own.

Beside it the anchor: percentile_cont over the same rows, which is what the dashboard would cost without rollups.
"""

import http.client
import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import psycopg

from accounts.roles import Role
from bench.trail import people
from bench.trail.people import median, p95
from bench.trail.server import processes
from bench.trail.traffic import SYSTEM

PORT = 8765


def measure(superuser: str, *, look_ups: int, anchors: int) -> None:
    people.system()
    cookie, secret = people.cookie(people.somebody(Role.AUDITOR)), people.token(SYSTEM, "trail:read")
    with psycopg.connect(superuser, autocommit=True) as connection:
        spans, requests = _sizes(connection)
        print(f"{spans:,} spans, {requests:,} requests", flush=True)
        ids = _some_ids(connection, look_ups)
    page = {"Cookie": cookie}
    with processes("web", port=PORT):
        _get("/requests/", page)  # the first answer of a process loads its templates
        _resolve(ids, secret)
        pages = [f"/requests/{SYSTEM}/{trace}/" for _, trace in ids[:100]]
        _told("request page with proof, of its own id", [_timed(lambda path=path: _get(path, page)) for path in pages])
        _depths(page)
        _searches(page)
        boards = {length: _dashboard(length, page) for length in ("24h", "7d", "30d")}
        _export(secret)
    # The last, since it takes longest by far: sorting ten million durations.
    with psycopg.connect(superuser, autocommit=True) as connection:
        raw = median([_timed(lambda: _percentiles(connection)) for _ in range(anchors)])
    print(f"raw percentile_cont by component and day, 30 days: {raw * 1000:,.0f} ms", flush=True)
    print(f"dashboard of 30 days: {boards['30d'] / raw:.3f} of it (floor 0.1, target 0.03)", flush=True)


def _dashboard(length: str, page: dict[str, str]) -> float:
    path = f"/systems/{SYSTEM}/dashboard/?range={length}"
    times = [_timed(lambda: _get(path, page)) for _ in range(7)]
    _told(f"dashboard of {length}", times)
    return median(times)


def _sizes(connection: psycopg.Connection) -> tuple[int, int]:
    row = connection.execute(
        "SELECT (SELECT size FROM audit_span_log), (SELECT sum(requests) FROM audit_rollup WHERE width = 1440)"
    ).fetchone()
    assert row
    return int(row[0]), int(row[1])


def _some_ids(connection: psycopg.Connection, count: int) -> list[tuple[str, str]]:
    rows = connection.execute(
        "SELECT request_id, replace(trace_id::text, '-', '') FROM audit_request"
        " TABLESAMPLE BERNOULLI (%s) REPEATABLE (7) WHERE system = %s AND request_id <> ''",
        [min(100.0, count / 10_000), SYSTEM],
    ).fetchall()
    return random.Random(7).sample(rows, min(count, len(rows)))


def _resolve(ids: list[tuple[str, str]], secret: str) -> None:
    """Every id, end to end: found, whole, and proved to be in the signed log."""
    times, good = [], 0
    for quoted, trace in ids:
        began = time.monotonic()
        found = json.loads(_get(f"/api/audit/requests/{quoted}", {"Authorization": f"Bearer {secret}"}))
        times.append(time.monotonic() - began)
        good += any(each["trace_id"] == trace and each["sealed"]["ok"] and len(each["spans"]) == 5 for each in found)
    print(f"{good} of {len(ids)} random request ids resolved and proved", flush=True)
    _told("look-up by id, API with proof", times)


def _depths(page: dict[str, str]) -> None:
    first = [_timed(lambda: _get(f"/requests/?q=system:{SYSTEM}", page)) for _ in range(15)]
    _told("first page of the list", first)
    from audit.explorer import ORDER
    from audit.models import Request
    from web.paging import _encode

    deep = []
    for days in (3, 10, 20, 28):
        at = datetime.now(UTC) - timedelta(days=days)
        row = Request.objects.filter(system=SYSTEM, started_at__lt=at).order_by(*ORDER)[0]
        address = f"/requests/?{urlencode({'q': f'system:{SYSTEM}', 'cursor': _encode(False, row, ORDER)})}"
        deep += [_timed(lambda address=address: _get(address, page)) for _ in range(5)]
    _told("page at any depth", deep, f", {median(deep) / median(first):.2f} of the first (floor 2, target 1.5)")


def _searches(page: dict[str, str]) -> None:
    for name, words in (
        ("errors, newest first", "outcome:error"),
        ("one tenant", "tenant:tenant-07"),
        ("two words, 30 days", "model:gpt-4.1 outcome:invalid since:30d"),
        ("without a match, last week", "source:no-such-document"),
    ):
        address = f"/requests/?{urlencode({'q': f'system:{SYSTEM} {words}'})}"
        _told(f"search: {name}", [_timed(lambda address=address: _get(address, page)) for _ in range(5)])
    address = f"/requests/counts/?{urlencode({'q': f'system:{SYSTEM} since:7d'})}"
    htmx = {**page, "HX-Request": "true"}
    _told("facets with counts", [_timed(lambda: _get(address, htmx)) for _ in range(7)])


def _percentiles(connection: psycopg.Connection) -> None:
    connection.execute(
        "SELECT component, date_trunc('day', started_at), percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_us),"
        " avg(failed::int) FROM audit_span WHERE system = %s AND started_at > now() - interval '30 days' GROUP BY 1, 2",
        [SYSTEM],
    ).fetchall()


def _export(secret: str, lines: int = 200_000) -> None:
    """Streamed; stopped after so many lines, which the product records as a part."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    headers = {"Authorization": f"Bearer {secret}"}
    began = time.monotonic()
    connection.request("GET", "/api/audit/requests/export?format=jsonl&q=", headers=headers)
    answer = connection.getresponse()
    count, first = 0, 0.0
    while count < lines and (part := answer.read(1 << 16)):
        first = first or time.monotonic() - began
        count += part.count(b"\n")
    took = time.monotonic() - began
    connection.close()
    print(f"export: first bytes after {first * 1000:.0f} ms, {count / took:,.0f} requests/s", flush=True)


def _timed(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def _get(path: str, headers: dict[str, str]) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{path} answered {answer.status}: {body[:200]!r} {answer.headers.get('Location')}")
    return body


def _told(what: str, times: list[float], more: str = "") -> None:
    print(f"{what}: p50 {median(times) * 1000:.1f} ms, p95 {p95(times) * 1000:.1f} ms{more}", flush=True)
