"""The API of systems: the same acts as the pages, told as problem+json, and closed to machine tokens."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.actions import issue_token
from systems.kinds import Kind
from systems.models import Component, ReleasePolicy, System, Version
from systems.registry import content_of
from tests.factories import CONTRACT, PROMPT, Whole, make_people, make_system, make_user, make_whole_system, sign_in

pytestmark = pytest.mark.django_db

NOW = timezone.now() - timedelta(days=1)
PROMPTS = "/api/systems/support-bot/components/prompt/system-prompt/versions"


@pytest.fixture
def whole() -> Whole:
    return make_whole_system(now=NOW)


def send(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.post(path, json.dumps(body), content_type="application/json", headers=headers)


def test_a_system_is_made_and_described() -> None:
    people = make_people(now=NOW)
    client = sign_in(people.product)
    owners = {area: str(user.pk) for area, user in people.owners().items()}
    made = send(client, "/api/systems", {"slug": "bot", "name": "Bot", "owners": owners})
    assert made.status_code == 201, made.content
    assert [owner["gap"] for owner in made.json()["owners"]] == [""] * 9
    assert client.get("/api/systems/bot").json() == made.json()
    make_system("hidden", now=NOW)
    local = make_user("Lea", "engineering", system="bot", now=NOW)
    assert [row["slug"] for row in sign_in(local).get("/api/systems").json()["results"]] == ["bot"]
    refused = sign_in(local).get("/api/systems/hidden")
    assert (refused.status_code, refused["Content-Type"]) == (404, "application/problem+json")


def test_what_is_wrong_is_told_as_a_problem() -> None:
    client = sign_in(make_people(now=NOW).product)
    answer = send(client, "/api/systems", {"slug": "Not a slug", "name": "Bot", "time_zone": "Nowhere"})
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["type"] == "/problems/systems-invalid"
    assert len(problem["reasons"]) == 2
    assert send(client, "/api/systems", {"slug": "bot", "name": "Bot", "owners": {"weather": "x"}}).status_code == 422
    assert not System.objects.exists()


def test_a_version_keeps_its_bytes_by_either_road(whole: Whole) -> None:
    client = sign_in(whole.people.engineer)
    exact = b"\xef\xbb\xbfBe brief.\r\n"
    made = send(client, PROMPTS, {"content_base64": base64.b64encode(exact).decode(), "submit": True})
    assert made.status_code == 201, made.content
    assert (made.json()["number"], made.json()["state"]) == (2, "in_review")
    assert content_of(Version.objects.get(component__kind=Kind.PROMPT, number=2)) == exact
    shown = client.get(f"{PROMPTS}/2").json()
    assert base64.b64decode(shown["content_base64"]) == exact
    text = send(client, PROMPTS, {"content": "  Be kind.\n\n", "note": "Softer."})
    assert text.status_code == 201
    assert content_of(Version.objects.get(component__kind=Kind.PROMPT, number=3)) == b"  Be kind.\n\n"
    numbers = [row["number"] for row in client.get(PROMPTS).json()["results"]]
    assert numbers == [3, 2, 1]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "Send either content or content_base64."),
        ({"content": "a", "content_base64": "YQ=="}, "Send either content or content_base64."),
        ({"content_base64": "%%%"}, "This is not base64."),
        ({"content": "a", "meta": {"colour": "red"}}, "colour cannot be declared for this kind."),
        ({"content": "a", "meta": "x"}, "dictionary"),
    ],
)
def test_a_version_that_is_not_one_is_refused(whole: Whole, body: dict[str, Any], reason: str) -> None:
    answer = send(sign_in(whole.people.engineer), PROMPTS, body)
    assert answer.status_code == 422
    assert reason in json.dumps(answer.json())
    assert Version.objects.filter(component__kind=Kind.PROMPT).count() == 1


def test_a_flaw_comes_with_its_line(whole: Whole) -> None:
    path = "/api/systems/support-bot/components/contract/limits/versions"
    text = json.dumps({**CONTRACT, "retry_limit": "two"}, indent=1)
    answer = send(sign_in(whole.people.engineer), path, {"content": text})
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/content-invalid"
    assert answer.json()["flaws"] == [{"line": 5, "reason": "'two' is not of type 'integer'."}]


def test_two_people_approve_a_version_and_a_replay_does_it_once(whole: Whole) -> None:
    writer, reviewer = sign_in(whole.people.engineer), sign_in(whole.people.engineer2)
    key = {"Idempotency-Key": "build-77"}
    first = send(writer, PROMPTS, {"content": "New.", "submit": True}, **key)
    again = send(writer, PROMPTS, {"content": "New.", "submit": True}, **key)
    assert first.json() == again.json()
    assert again["Idempotent-Replay"] == "true"
    assert Version.objects.filter(component__kind=Kind.PROMPT).count() == 2
    other = send(writer, PROMPTS, {"content": "Other."}, **key)
    assert other.status_code == 422
    refused = send(writer, f"{PROMPTS}/2/approve", {})
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/role-missing")
    done = send(reviewer, f"{PROMPTS}/2/approve", {"note": "Good."})
    assert done.json()["state"] == "approved"
    assert done.json()["reviewer"] == str(whole.people.engineer2.pk)
    assert send(reviewer, f"{PROMPTS}/2/approve", {}).status_code == 409
    assert send(reviewer, f"{PROMPTS}/2/celebrate", {}).status_code == 404


def test_components_are_listed_and_added(whole: Whole) -> None:
    client = sign_in(whole.people.engineer)
    made = send(client, "/api/systems/support-bot/components", {"kind": "model", "name": "judge"})
    assert made.status_code == 201
    rows = client.get("/api/systems/support-bot/components").json()
    assert {(row["kind"], row["name"]) for row in rows} >= {("model", "judge"), ("prompt", "system-prompt")}
    prompt = next(row for row in rows if row["kind"] == "prompt")
    assert prompt["versions"][0]["size"] == len(PROMPT)
    assert "content" not in prompt["versions"][0]
    twice = send(client, "/api/systems/support-bot/components", {"kind": "model", "name": "judge"})
    assert twice.status_code == 409


def test_policies_are_proposed_and_decided(whole: Whole) -> None:
    path = "/api/systems/support-bot/policies"
    author, product = sign_in(whole.people.operator), sign_in(whole.people.product)
    wrong = send(author, path, {"part": "release", "body": {"eval_min_delta": 0.01}, "reason": "x"})
    assert wrong.json()["type"] == "/problems/policy-invalid"
    made = send(author, path, {"part": "release", "body": {"canary_hours": 48}, "reason": "Weekends."})
    assert (made.status_code, made.json()["number"]) == (201, 2)
    done = send(product, f"{path}/release/2/approve", {"role": "product"})
    assert done.json()["state"] == "approved"
    rows = product.get(path).json()
    assert [(row["part"], row["number"], row["state"]) for row in rows] == [
        ("release", 2, "approved"), ("release", 1, "superseded"), ("running", 1, "approved"),
    ]  # fmt: skip
    assert rows[0]["body"]["eval_min_delta"] == "0.02"
    assert send(product, f"{path}/other/2/approve", {}).status_code == 404
    assert send(product, f"{path}/release/99999999999999999999/approve", {}).status_code == 404


READS = ["/api/systems", "/api/systems/support-bot", "/api/systems/support-bot/components", PROMPTS, f"{PROMPTS}/1",
         "/api/systems/support-bot/policies"]  # fmt: skip
WRITES = ["/api/systems", "/api/systems/support-bot/owners", "/api/systems/support-bot/components", PROMPTS,
          f"{PROMPTS}/1/deprecate", "/api/systems/support-bot/policies",
          "/api/systems/support-bot/policies/release/1/approve"]  # fmt: skip


def test_a_pipeline_drafts_versions_as_its_owner(whole: Whole) -> None:
    _, secret = issue_token(
        owner=whole.people.engineer, name="CI", scopes=["evidence:write"], by=whole.people.admin, now=NOW
    )
    path = "/api/systems/support-bot/components/prompt/system-prompt/versions"
    answer = send(Client(), path, {"content": "Be brief.", "submit": True}, Authorization=f"Bearer {secret}")
    assert answer.status_code == 201, answer.content
    version = Version.objects.get(component__name="system-prompt", number=2)
    assert (version.author, version.state) == (whole.people.engineer, Version.State.IN_REVIEW)
    approve = send(Client(), f"{path}/2/approve", {}, Authorization=f"Bearer {secret}")
    assert approve.status_code == 403


def test_no_machine_token_and_no_stranger_gets_in(whole: Whole) -> None:
    scopes = ["evaluations:write", "gate:read", "status:read", "trail:read"]
    _, secret = issue_token(owner=whole.people.engineer, name="CI", scopes=scopes, by=whole.people.admin, now=NOW)
    stranger = sign_in(make_user("Sam", "engineering", system="other-bot", now=NOW))
    for path in READS:
        assert Client().get(path).status_code == 401, path
        assert Client().get(path, headers={"Authorization": f"Bearer {secret}"}).status_code == 403, path
        if path != "/api/systems":
            assert stranger.get(path).status_code == 404, path
    assert stranger.get("/api/systems").json()["results"] == []
    for path in WRITES:
        assert send(Client(), path, {}).status_code == 401, path
        assert send(Client(), path, {}, Authorization=f"Bearer {secret}").status_code == 403, path
        assert send(stranger, path, {"slug": "mine", "name": "Mine"}).status_code in (403, 404), path
    assert System.objects.count() == 1
    assert Component.objects.count() == 7
    assert ReleasePolicy.objects.count() == 1
