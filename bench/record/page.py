"""The page that teams spend their days on: 200 items with owners, evidence and comments, half of it verified."""

import time
from collections.abc import Sequence
from datetime import datetime
from itertools import cycle
from statistics import median, quantiles
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from bench.record.release import ITEMS, staged
from demo import walk
from releases.actions.checklist import assign_items, comment_item
from releases.standard.load import ItemDef


def measure(rounds: int) -> None:
    """In this process, with the real database behind it: what the server spends, without the way to the browser."""
    stage = staged()
    now = timezone.now()
    _work(stage, walk.by_people(stage.release, questions=("canary", "release", None)), now=now)
    client = Client(SERVER_NAME="localhost")
    client.force_login(stage.people.engineer, backend="accounts.backends.SignInBackend")
    url = f"/systems/{stage.system.slug}/releases/{stage.release.label}/"
    with CaptureQueriesContext(connection) as queries:
        page = client.get(url).content
        asked = len(queries)
    if page.count(b"data-row data-part") != ITEMS:
        raise SystemExit("The page does not show every item.")
    wall, cpu = zip(*(_timed(client, url) for _ in range(rounds)), strict=True)
    print(f"{ITEMS} items, {asked} queries, {len(page) / 1000:.0f} kB")
    _say("from the request to the answer", wall)
    _say("of which processor time of the web process", cpu)


def _work(stage: Any, items: Sequence[ItemDef], *, now: datetime) -> None:
    """Owners in turn, two comments each; every second one is verified, the others wait."""
    rows = {row.key: row.revision for row in stage.release.items.all()}
    owners = cycle([stage.people.engineer, stage.people.operator, stage.people.product, stage.people.platform])
    for number, item in enumerate(items):
        common: dict[str, Any] = {"release_id": stage.release.pk, "now": now}
        assign_items(items={item.key: rows[item.key]}, owner=next(owners), by=stage.people.product, **common)
        walk.attach(stage.release, item, by=stage.people.engineer, now=now)
        for text in ("Where is the log of it?", "It is in the second file."):
            comment_item(key=item.key, text=text, by=stage.people.product, **common)
        if number % 2:
            walk.verify(stage.release, item, by=walk.verifier(stage.people, item.owner_role), now=now)


def _timed(client: Client, url: str) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    client.get(url)
    return time.perf_counter() - wall, time.process_time() - cpu


def _say(what: str, seconds: Sequence[float]) -> None:
    p95 = quantiles(seconds, n=20)[18]
    print(f"{what}: p50 {median(seconds) * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms (goal 100 ms)")
