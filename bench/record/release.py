"""A release of 200 items with much evidence: asked by pipelines, and packed into its bundle."""

import io
import json
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from multiprocessing import get_context
from statistics import median, quantiles
from typing import Any

from django.utils import timezone

from audit import sealing
from audit.bundle import Bundle, open_bundle
from bench.trail import people, sending
from bench.trail.server import processes
from demo import walk
from jobs import outbox
from jobs.models import Event
from releases import bundle
from releases.actions.checklist import attach_evidence
from releases.actions.standards import upgrade_standard
from releases.decisions import standing
from releases.gate.types import Question
from releases.models import Decision
from releases.verify.steps import steps
from tests import factories
from tests.releases import conftest, ready, test_standards
from tests.releases.test_checklist_page import wide

ITEMS, PER_SECOND, PORT = 200, 20, 8765


def staged() -> Any:
    """The tests' own stage, three hours ago by the clock, with a standard of 200 items."""
    now = timezone.now().replace(microsecond=0) - timedelta(hours=3)
    for module in (conftest, ready, test_standards):
        module.NOW = now
    stage = conftest.make_stage(factories.make_whole_system())
    test_standards.published(stage.people, wide(ITEMS), line="wide")
    upgrade_standard(release_id=stage.release.pk, number=f"wide-{ITEMS}", by=stage.people.product, now=now)
    stage.release = stage.again()
    _told(now=now)
    return stage


def _told(*, now: datetime) -> None:
    """What a worker had long done by then: told later, that somebody owns an area makes the acknowledgement stale."""
    waiting = Event.objects.filter(relayed_at=None)
    for event in waiting.order_by("id"):
        for handler in outbox.handlers(event.topic):
            outbox.call(handler, event)
    waiting.update(relayed_at=now)


def prepared(artifacts: int) -> Any:
    """Ready for both signatures."""
    stage = staged()
    _attach(stage, artifacts - len(walk.by_people(stage.release)), now=ready.NOW)
    ready.make_ready(stage)
    _told(now=timezone.now())
    found = standing(stage.again(), Question.CANARY, now=timezone.now())
    if not found.verdict.go:
        raise SystemExit(f"It is no-go: {[reason.sentence for reason in found.verdict.reasons][:3]}")
    count = sum(len(item.evidence) for item in found.facts.items)
    print(f"{len(found.facts.items)} items, {count} pieces of evidence, {found.verdict.outcome.value}")
    return stage


def _attach(stage: Any, count: int, *, now: datetime) -> None:
    items = [item for item in walk.by_people(stage.release) if "file" in item.evidence]
    for number in range(count):
        attach_evidence(
            release_id=stage.release.pk,
            key=items[number % len(items)].key,
            kind="file",
            title=f"measurement-{number}.txt",
            content=f"Piece {number}.\n".encode() * 200,
            media_type="text/plain",
            by=stage.people.engineer,
            now=now,
        )


def measure_gate(artifacts: int, *, seconds: int) -> None:
    stage = prepared(artifacts)
    walk.sign_both(stage.release, stage.people, now=timezone.now())
    token = people.token(stage.system.slug, "gate:read")
    url = f"http://127.0.0.1:{PORT}/api/releases/{stage.release.pk}/gate?question=canary"
    with processes("web", "worker", port=PORT):
        _asked(url, token, seconds=5)  # the first questions load what later ones use
        alone = [_answered(url, token) for _ in range(100)]
        print(f"{len(alone)} answers, one after the other: {_spread(alone)} (floor for p50 15 ms, target 8)")
        took = _asked(url, token, seconds=seconds)
        print(f"{len(took)} answers at {PER_SECOND} a second, beside a worker: {_spread(took)} (goal for p95 50 ms)")
        with _full_ingest(seconds + 5), processes("beat", port=PORT):
            busy = _asked(url, token, seconds=seconds)
        print(f"{len(busy)} answers under full ingest: {_spread(busy)} (floor for p95 150 ms, target 60)")


def _spread(seconds: Sequence[float]) -> str:
    return f"p50 {median(seconds) * 1000:.0f} ms, p95 {quantiles(seconds, n=20)[18] * 1000:.0f} ms"


@contextmanager
def _full_ingest(seconds: int) -> Iterator[None]:
    """Two processes that send spans as fast as they are taken, from when this is entered."""
    spawn = get_context("spawn")
    meeting = spawn.Barrier(3)
    secret = people.token("bench-load", "ingest")
    with spawn.Pool(2, initializer=sending.meet, initargs=(meeting,)) as pool:
        sent = pool.starmap_async(sending.send, [(secret, seconds, f"gate {number}") for number in range(2)])
        meeting.wait()
        yield
        rate = sum(count / took for count, took in sent.get())
        print(f"meanwhile {rate:,.0f} spans/s were taken in")


def _answered(url: str, token: str) -> float:
    """Seconds until a go came."""
    began = time.monotonic()
    with urllib.request.urlopen(_question(url, token), timeout=30) as answer:
        if not json.load(answer)["allow"]:
            raise SystemExit("The gate says no.")
    return time.monotonic() - began


def _question(url: str, token: str) -> urllib.request.Request:
    return urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})


def _asked(url: str, token: str, *, seconds: int) -> list[float]:
    """Asks on a clock, whether or not the answer before has come: a slow answer must not slow the asking."""
    took: list[float] = []
    unanswered: Counter[str] = Counter()
    began = time.monotonic() + 0.2

    def ask(due: float) -> None:
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            with urllib.request.urlopen(_question(url, token), timeout=30) as answer:
                answered = json.load(answer)
        except OSError as error:
            unanswered[str(error)] += 1
        else:
            took.append(time.monotonic() - due)
            if not answered["allow"]:
                unanswered[f"no-go: {answered['reasons'][:1]}"] += 1

    threads = [threading.Thread(target=ask, args=(began + n / PER_SECOND,)) for n in range(seconds * PER_SECOND)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if unanswered:
        raise SystemExit(f"Questions without a go: {dict(unanswered)}")
    return took


def measure_bundle(artifacts: int) -> None:
    stage = prepared(artifacts)
    walk.sign_both(stage.release, stage.people, now=timezone.now())
    sealing.seal(now=timezone.now())
    decision = Decision.objects.filter(release=stage.release).latest("decided_at")
    began = time.monotonic()
    content = bundle.build(decision, now=timezone.now())
    took = time.monotonic() - began
    print(f"bundle of {len(content) / 1e6:.1f} MB made in {took:.1f} s (goal 10 s)")
    began = time.monotonic()
    opened: Bundle = open_bundle(io.BytesIO(content))
    found = list(steps(opened))
    print(f"verified in {len(found)} steps, {time.monotonic() - began:.1f} s")
