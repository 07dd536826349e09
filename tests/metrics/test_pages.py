"""The pages, as people with different roles use them."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from metrics import pull
from metrics.models import EvaluationRun, Pull, Source
from metrics.targets import set_target
from tests.factories import make_user
from tests.metrics.samples import BASELINE, BETTER, DATASET_HASH, INSPECT, PROMPTFOO, WORSE, pins
from tests.metrics.scene import Scene
from tests.metrics.test_evaluation import record

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_second_factor(settings: Any) -> None:
    settings.REQUIRE_MFA = False


@pytest.fixture
def visit(client: Client) -> Callable[[User], Client]:
    def sign_in(user: User) -> Client:
        client.force_login(user)
        return client

    return sign_in


def at(name: str, *args: Any, slug: str = "support-bot") -> str:
    return reverse(f"metrics:{name}", args=[slug, *args])


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def test_an_engineer_makes_a_source_tests_it_and_pulls(
    scene: Scene, folder: Path, visit: Callable[[User], Client]
) -> None:
    browser = visit(scene.people.engineer)
    assert "No source yet" in text(browser.get(at("sources")))
    form = {"name": "CI logs", "location": "{release}.eval", "secret": "s3cret", "schedule": "300"}
    made = browser.post(at("source-new", "inspect_ai"), form)
    source = Source.objects.get()
    assert made.url == at("source", source.pk)
    assert (source.config, source.schedule_seconds) == ({"location": "{release}.eval"}, 300)
    page = browser.get(made.url)
    assert "No release waits for it: open one and pin its dataset." in text(page)
    assert b"s3cret" not in page.content
    set_target(source=source, release_label=BETTER, dataset_hash=DATASET_HASH, pins=pins(BETTER), now=scene.now)
    tested = text(browser.post(at("source-test", source.pk)))
    assert f"There is no file {BETTER}.eval" in tested
    shutil.copy(INSPECT / f"{BETTER}.eval", folder)
    assert "40 cases" in text(browser.post(at("source-test", source.pk)))
    assert browser.post(at("source-pull", source.pk)).url == at("source", source.pk)
    ordered = Pull.objects.get()
    waiting = browser.get(at("pull", ordered.pk))
    assert b'hx-trigger="every 2s"' in waiting.content
    pull.perform(pull_id=str(ordered.pk), now=ordered.started_at)
    done = browser.get(at("pull", ordered.pk))
    assert b"hx-trigger" not in done.content
    assert "Recorded" in text(done)
    assert "Evaluation run, 40 cases" in text(browser.get(at("source", source.pk)))


def test_a_form_that_cannot_work_says_why_and_keeps_what_was_typed(
    scene: Scene, visit: Callable[[User], Client]
) -> None:
    browser = visit(scene.people.engineer)
    refused = browser.post(at("source-new", "inspect_ai"), {"name": "Typed name", "location": "../../etc/x.json"})
    assert refused.status_code == 422
    assert "without .. and without a leading /" in text(refused)
    assert b"Typed name" in refused.content
    address = {"name": "P", "url": "http://10.0.0.1:9090", "requests": "a_total", "latency": "b_seconds"}
    labels = {"latency_unit": "s", "release_label": "release", "error_label": "outcome", "error_values": "error, 5*"}
    internal = browser.post(at("source-new", "prometheus"), address | labels)
    assert "READINESS_EGRESS_ALLOW=10.0.0.1:9090" in text(internal)
    wrong = browser.post(at("source-new", "prometheus"), address | labels | {"matchers": "production"})
    assert "Write label=value, separated by commas." in text(wrong)
    assert browser.get(at("source-new", "gopher")).status_code == 404
    assert not Source.objects.exists()


def test_a_prometheus_source_is_changed_without_losing_its_secret(
    scene: Scene, visit: Callable[[User], Client], settings: Any
) -> None:
    settings.EGRESS_ALLOW = ["10.0.0.1:9090"]
    browser = visit(scene.people.operator)
    form = {
        "name": "Production", "url": "http://10.0.0.1:9090", "requests": "a_total", "latency": "b_seconds",
        "latency_unit": "ms", "release_label": "version", "error_label": "code", "error_values": "5*, 429",
        "matchers": 'env="production", job=bot', "secret": "tok",
    }  # fmt: skip
    browser.post(at("source-new", "prometheus"), form)
    source = Source.objects.get()
    assert source.config["matchers"] == {"env": "production", "job": "bot"}
    assert source.config["error_values"] == ["5*", "429"]
    assert (
        '<dt>Its unit</dt><dd class="break">Milliseconds</dd>' in browser.get(at("source", source.pk)).content.decode()
    )
    page = browser.get(at("source-change", source.pk)).content.decode()
    assert 'value="env=production, job=bot"' in page
    assert 'value="5*, 429"' in page
    kept = source.secret
    browser.post(at("source-change", source.pk), form | {"secret": "", "name": "Renamed"})
    source.refresh_from_db()
    assert (source.name, source.secret) == ("Renamed", kept)
    assert browser.post(at("source-retire", source.pk)).url == at("sources")
    assert "is retired" in text(browser.post(at("source-retire", source.pk)))


def test_an_evaluation_is_uploaded_seen_beside_its_baseline_and_its_origin_confirmed(
    scene: Scene, visit: Callable[[User], Client]
) -> None:
    record(scene, BASELINE, "promptfoo")
    browser = visit(scene.people.engineer)
    file = SimpleUploadedFile("results.json", (PROMPTFOO / f"{BETTER}.json").read_bytes())
    sent = browser.post(at("upload"), {"tool": "promptfoo", "file": file})
    run = EvaluationRun.objects.get(release_label=BETTER)
    assert sent.url == at("run", run.pk)
    page = browser.get(sent.url)
    words = text(page)
    assert f"score against {BASELINE}" in words
    assert "0.9583" in words
    assert "+0.0833" in words
    assert "Its origin is not proven." in words
    assert "You pushed this file: somebody else confirms where it came from." in words
    figure = json.loads(re.findall(r'<script id="interval" type="application/json">(.*?)</script>', words_of(page))[0])
    assert figure["data"][0]["x"] == [pytest.approx(1 / 12)]
    assert "angry-023" in words, "the regression is shown first"
    again = browser.post(at("upload"), {"tool": "promptfoo", "file": resent(file)})
    assert again.url == at("run", run.pk)
    other = visit(scene.people.operator)
    assert other.post(at("run-origin", run.pk)).url == at("run", run.pk)
    assert "Its origin is not proven." not in text(other.get(at("run", run.pk)))
    assert "To confirm" not in text(other.get(at("system")))


def words_of(page: Any) -> str:
    return str(page.content.decode())


def resent(file: SimpleUploadedFile) -> SimpleUploadedFile:
    file.seek(0)
    return file


def test_the_run_page_shows_what_is_asked_for(scene: Scene, visit: Callable[[User], Client]) -> None:
    baseline, run, worse = (record(scene, label)[0] for label in (BASELINE, BETTER, WORSE))
    browser = visit(scene.people.auditor)
    every = text(browser.get(at("run", run.pk) + "?show=all"))
    assert every.count("plain-0") >= 8
    assert "With these 40 cases a change below" in every
    better = text(browser.get(at("run", run.pk) + "?show=improved"))
    assert "two-questions-007" in better
    assert "angry-023" not in better
    alone = text(browser.get(at("run", run.pk) + "?baseline=none"))
    assert "correct, without a baseline" in alone
    against = text(browser.get(at("run", run.pk) + f"?baseline={worse.pk}&metric=grounded"))
    assert f"grounded against {WORSE}" in against
    assert "+0.85" in against
    for nonsense in ("?metric=nothing", "?show=nothing", "?baseline=nothing", f"?baseline={run.pk}"):
        assert browser.get(at("run", run.pk) + nonsense).status_code == 200
    failed = text(browser.get(at("run", worse.pk) + f"?baseline={baseline.pk}"))
    assert (
        "The metric correct changed by -0.05 against the baseline, and the policy asks for at least 0.02 more."
        in failed
    )


def test_the_file_is_handed_out_as_it_came_and_never_shown(scene: Scene, visit: Callable[[User], Client]) -> None:
    run, _ = record(scene, BETTER)
    answer = visit(scene.people.auditor).get(at("run-file", run.pk))
    assert answer.content == (INSPECT / f"{BETTER}.eval").read_bytes()
    assert answer["Content-Disposition"] == f'attachment; filename="support-bot-{BETTER}-inspect_ai.eval"'
    assert (answer["X-Content-Type-Options"], answer["Content-Type"]) == ("nosniff", "application/octet-stream")
    assert "sandbox" in answer["Content-Security-Policy"]


def test_an_upload_that_cannot_be_read_says_why(scene: Scene, visit: Callable[[User], Client]) -> None:
    browser = visit(scene.people.engineer)
    answer = browser.post(at("upload"), {"tool": "inspect_ai", "file": SimpleUploadedFile("a.eval", b"PK\x03\x04")})
    assert answer.status_code == 422
    assert "The archive is damaged or cut off." in text(answer)
    assert not EvaluationRun.objects.exists()


def test_who_may_only_read_is_told_what_it_takes(scene: Scene, visit: Callable[[User], Client]) -> None:
    source = scene_source(scene)
    browser = visit(scene.people.auditor)
    for page in (at("sources"), at("source", source.pk), at("system")):
        assert "This takes product, engineering or operations on this system." in text(browser.get(page))
    for path in (at("source-test", source.pk), at("source-pull", source.pk), at("source-retire", source.pk)):
        assert browser.post(path).status_code == 403, path
    assert browser.post(at("source-new", "trail"), {"name": "x"}).status_code == 422
    assert Source.objects.count() == 1


def scene_source(scene: Scene) -> Source:
    from metrics.actions.sources import create_source

    return create_source(
        system=scene.system, kind="trail", name="Secret source", config={}, by=scene.people.engineer, now=scene.now
    )


def test_a_stranger_is_told_that_there_is_nothing(scene: Scene, visit: Callable[[User], Client]) -> None:
    source, (run, _) = scene_source(scene), record(scene, BETTER)
    (ordered,) = pull.order_pull(source=source, by=scene.people.engineer, now=scene.now, release_label=BETTER)
    browser = visit(make_user("Stranger", "operations", system="search"))
    pages = [at("system"), at("sources"), at("source", source.pk), at("run", run.pk), at("run-file", run.pk),
             at("pull", ordered.pk), at("source-change", source.pk), at("source-new", "trail")]  # fmt: skip
    for page in pages:
        answer = browser.get(page)
        assert answer.status_code == 404, page
        assert b"Secret source" not in answer.content
        assert BETTER.encode() not in answer.content.replace(page.encode(), b"")


def test_the_number_of_queries_does_not_grow_with_the_rows(scene: Scene, visit: Callable[[User], Client]) -> None:
    browser = visit(scene.people.engineer)
    record(scene, BASELINE)

    def queries(page: str) -> int:
        browser.get(page)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            browser.get(page)
        return len(captured)

    few = queries(at("system"))
    run, _ = record(scene, BETTER)
    record(scene, WORSE)
    assert queries(at("system")) <= few
    assert queries(at("run", run.pk) + "?show=all") < 30
