"""The API: pipelines push with a token, people manage sources, a repeat does nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.actions import issue_token
from audit.ledger import entries
from metrics.models import EvaluationRun, Pull, Source
from tests.factories import NOW, make_system
from tests.metrics.samples import BASELINE, BETTER, INSPECT, PROMPTFOO, WORSE
from tests.metrics.scene import Scene
from tests.metrics.test_evaluation import record

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_second_factor(settings: Any) -> None:
    settings.REQUIRE_MFA = False


@pytest.fixture
def bearer(scene: Scene) -> Callable[..., dict[str, str]]:
    def make(*scopes: str, system: str = "") -> dict[str, str]:
        _, secret = issue_token(
            owner=scene.people.engineer, name="ci", scopes=list(scopes), system=system, by=scene.people.admin,
            now=NOW,
        )  # fmt: skip
        return {"Authorization": f"Bearer {secret}"}

    return make


def at(name: str, *args: Any, slug: str = "support-bot") -> str:
    return reverse(f"metrics_api:{name}", args=[slug, *args])


def push(client: Client, headers: dict[str, str], raw: bytes, tool: str = "promptfoo", **more: Any) -> Any:
    kind = more.get("content_type", "application/json")
    return client.post(
        at("evaluations", slug=more.get("slug", "support-bot")) + f"?tool={tool}",
        raw,
        content_type=kind,
        headers=headers,
    )


def test_a_pipeline_pushes_a_file_and_pushing_it_again_is_the_same_run(
    scene: Scene, client: Client, bearer: Callable[..., dict[str, str]]
) -> None:
    raw, token = (PROMPTFOO / f"{BETTER}.json").read_bytes(), bearer("evaluations:write", system="support-bot")
    first, again = (push(client, token, raw, content_type=kind) for kind in ("application/json", "text/plain"))
    assert (first.status_code, again.status_code) == (201, 200)
    body = first.json()
    assert again.json() == body
    assert (body["release_label"], body["cases"], body["metrics"]["correct"]["mean"]) == (BETTER, 40, "0.925")
    assert (body["origin"], body["origin_proven"]) == ("pushed-unproven", False)
    (entry,) = entries(subject=f"evaluation:{body['id']}")
    assert entry.actor_id == scene.people.engineer.actor_id
    assert entry.via.startswith("token:")


def test_a_zip_comes_through_unharmed(client: Client, bearer: Callable[..., dict[str, str]], scene: Scene) -> None:
    raw = (INSPECT / f"{BETTER}.eval").read_bytes()
    answer = push(client, bearer("evaluations:write"), raw, "inspect_ai", content_type="application/octet-stream")
    assert answer.status_code == 201
    assert answer.json()["raw_size"] == len(raw)


def test_bodies_that_are_no_evaluation_are_refused_with_the_reason(
    scene: Scene, client: Client, bearer: Callable[..., dict[str, str]], settings: Any
) -> None:
    token = bearer("evaluations:write")
    for raw, tool, status, words in (
        (b"", "promptfoo", 422, "Send the evaluation file as the body"),
        (b"{", "promptfoo", 422, "is not whole JSON"),
        (
            b"{}",
            "lm-eval",
            422,
            "The tool 'lm-eval' cannot be pushed. These can: inspect_ai, promptfoo, junit, table, json_http.",
        ),
        (b"{}", "inspect_ai", 422, "has version None"),
    ):
        answer = push(client, token, raw, tool)
        assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
        assert words in answer.json()["detail"]
    settings.EVIDENCE_MAX_BYTES = 1000
    large = push(client, token, b"x" * 1001)
    assert (large.status_code, "1,000 bytes" in large.json()["detail"]) == (413, True)
    assert not EvaluationRun.objects.exists()


def test_a_token_reaches_what_its_scope_and_system_allow_and_no_further(
    scene: Scene, client: Client, bearer: Callable[..., dict[str, str]]
) -> None:
    make_system("other-bot", people=scene.people)
    raw = (PROMPTFOO / f"{BETTER}.json").read_bytes()
    assert push(client, bearer("gate:read"), raw).status_code == 403
    assert push(client, bearer("evaluations:write", system="support-bot"), raw, slug="other-bot").status_code == 404
    assert push(client, {}, raw).status_code == 401
    writer, (run, _) = bearer("evaluations:write"), record(scene, BASELINE)
    for path in (at("evaluation-origin", run.pk), at("sources")):
        answer = client.post(path, {}, content_type="application/json", headers=writer)
        assert (answer.status_code, "takes a person" in answer.json()["detail"]) == (403, True)
    assert client.get(at("evaluations"), headers=writer).status_code == 403


def test_runs_are_read_with_the_judges_word(
    scene: Scene, client: Client, bearer: Callable[..., dict[str, str]]
) -> None:
    for label in (BASELINE, BETTER, WORSE):
        run, _ = record(scene, label)
    token = bearer("gate:read")
    listed = client.get(at("evaluations") + f"?release={BETTER}", headers=token).json()
    assert [row["release_label"] for row in listed["results"]] == [BETTER]
    better = client.get(at("evaluation", listed["results"][0]["id"]), headers=token).json()
    assert (better["verdict"]["outcome"], better["verdict"]["delta"]) == ("pass", "0.125")
    assert better["baseline"]["release_label"] == BASELINE
    worse = client.get(at("evaluation", run.pk), headers=token).json()
    assert worse["verdict"]["outcome"] == "fail"
    assert client.get(at("evaluation", "0190a000-0000-7000-8000-000000000000"), headers=token).status_code == 404


def test_people_manage_sources_and_secrets_never_come_back(scene: Scene, client: Client) -> None:
    client.force_login(scene.people.engineer)
    sent = {"kind": "inspect_ai", "name": "CI", "config": {"location": "{release}.eval"}, "secret": "s3cret"}
    made = client.post(at("sources"), sent, content_type="application/json", headers={"Idempotency-Key": "k1"})
    again = client.post(at("sources"), sent, content_type="application/json", headers={"Idempotency-Key": "k1"})
    assert (made.status_code, again.json()) == (201, made.json())
    assert Source.objects.count() == 1
    body = made.json()
    assert (body["has_secret"], "secret" in body, "s3cret" in made.content.decode()) == (True, False, False)
    path = at("source", body["id"])
    changed = client.put(path, {"name": "CI", "config": {"location": "x.json"}, "secret": ""}, "application/json")
    assert (changed.json()["config"], changed.json()["has_secret"]) == ({"location": "x.json"}, False)
    for bad in ({"location": "../x"}, {"place": "x"}, [], None):
        refused = client.put(path, {"name": "CI", "config": bad}, content_type="application/json")
        assert refused.status_code == 422, bad
    findings = client.post(at("source-test", body["id"]), headers={"Accept": "application/json"}).json()["findings"]
    assert findings[0]["ok"] is False
    assert client.post(at("source-retire", body["id"])).json()["retired_at"]


def test_a_pull_is_ordered_and_followed(
    scene: Scene, client: Client, bearer: Callable[..., dict[str, str]], make_source: Callable[..., Source]
) -> None:
    source = make_source("trail", environments=[])
    client.force_login(scene.people.operator)
    nothing = client.post(at("pulls", source.pk), {}, content_type="application/json")
    assert (nothing.status_code, "Say which release" in nothing.json()["detail"]) == (422, True)
    ordered = client.post(at("pulls", source.pk), {"release": BETTER}, content_type="application/json")
    assert ordered.status_code == 202
    assert ordered.json()["results"][0]["outcome"] == "running"
    client.logout()
    listed = client.get(at("pulls", source.pk), headers=bearer("status:read")).json()["results"]
    assert [row["id"] for row in listed] == [str(Pull.objects.get().pk)]
    assert client.get(at("measurements", source.pk), headers=bearer("status:read")).json()["results"] == []


def test_a_table_is_pushed_with_the_mapping_of_a_source(
    scene: Scene, client: Client, bearer: Callable[..., dict[str, str]], make_source: Callable[..., Source]
) -> None:
    end = f"{BETTER},sha256:{'d' * 64},2026-11-24T10:00:00Z"
    raw = f"id,grade,readiness.release,readiness.dataset_hash,finished_at\na,1,{end}\nb,0.5,{end}\n".encode()
    token = bearer("evaluations:write", system="support-bot")
    refused = push(client, token, raw, "table", content_type="text/csv")
    assert (refused.status_code, "no scores" in refused.json()["detail"]) == (422, True)
    source = make_source("table", location="{release}.csv", case_id="id", scores={"correct": "grade"})
    answer = push(client, token, raw, f"table&source={source.name}", content_type="text/csv")
    assert (answer.status_code, answer.json()["metrics"]["correct"]["mean"]) == (201, "0.75")
    unknown = push(client, token, raw, "mlflow", content_type="text/csv")
    assert (unknown.status_code, "cannot be pushed" in unknown.json()["detail"]) == (422, True)
