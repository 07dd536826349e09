"""The data policy: who may set it, what it does to what comes in; and the check of a payload on request."""

import json
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from audit import unsafe
from audit.contract import IngestProfile
from audit.models import ContractCheck, Entry, Profile, Span, UnsafeLogging
from audit.profiles import profile_of
from jobs.models import Event
from systems import actions
from systems.actions.traffic import loosened
from systems.errors import InvalidInput, NotYourRole
from systems.kinds import Kind
from systems.models import Component, System
from tests.audit.sending import chat_trace, ingest_token, span
from tests.audit.trailing import send
from tests.factories import NOW, People, make_version, make_whole_system, sign_in

pytestmark = pytest.mark.django_db


def test_builders_keep_less_and_guardians_more(system: System, people: People) -> None:
    wanted = {"pii_policy": "refuse", "denied_fields": [" customer.* ", ""]}
    actions.set_data_policy(system=system, wanted=wanted, by=people.engineer, now=NOW)
    profile = profile_of(system.slug).profile
    assert (profile.pii_policy, profile.denied_fields) == ("refuse", ["customer.*"])
    assert Entry.objects.filter(kind="ingest-profile.set", system=system.slug).exists()
    with pytest.raises(NotYourRole, match="to loosen denied_fields, pii_policy"):
        actions.set_data_policy(
            system=system, wanted={"pii_policy": "redact", "denied_fields": []}, by=people.engineer, now=NOW
        )
    actions.set_data_policy(system=system, wanted={"pii_policy": "redact"}, by=people.privacy, now=NOW)
    assert profile_of(system.slug).profile.denied_fields == ["customer.*"], "what is left out stays"


@pytest.mark.parametrize(
    "wanted", [{"payload_mode": "all"}, {"prices": {}}, {"denied_fields": ["x" * 201]}, {"pii_policy": "redact"}]
)
def test_nonsense_and_nothing_new_are_refused(system: System, people: People, wanted) -> None:
    with pytest.raises(InvalidInput):
        actions.set_data_policy(system=system, wanted=wanted, by=people.privacy, now=NOW)
    assert not Profile.objects.exists()


def test_what_loosens_is_found_part_by_part() -> None:
    strict = IngestProfile(payload_mode="none", pii_policy="refuse", denied_policy="refuse", prompt_policy="require")
    assert set(loosened(strict, IngestProfile())) == {"payload_mode", "pii_policy", "denied_policy", "prompt_policy"}
    assert loosened(IngestProfile(), strict) == ()


def test_approved_prompts_and_limits_reach_ingest_and_the_data_policy_stays() -> None:
    whole = make_whole_system()
    actions.set_data_policy(
        system=whole.system, wanted={"prompt_policy": "refuse"}, by=whole.people.privacy, now=timezone.now()
    )
    prompt = whole.versions[Kind.PROMPT]
    contract = Component.objects.get(kind=Kind.CONTRACT)
    limits = {"max_context_chars": 12000, "max_output_tokens": 400, "timeout_ms": 10000, "retry_limit": 2}
    body = {**limits, "canonical_output": "rfc8785", "components": {"retrieval": {"timeout_ms": 500}}}
    make_version(contract, json.dumps(body).encode(), by=whole.people.engineer, reviewer=whole.people.engineer2)
    profile = profile_of("support-bot").profile
    assert profile.prompts[prompt.sha256] == [{"name": prompt.component.name, "number": prompt.number}]
    # Both contracts are in use: the older one has no limit of its own for retrieval, so it means 10 s by it.
    assert profile.components == {"retrieval": {"retry_limit": 2, "timeout_ms": 10000}}
    assert profile.canonical_outputs == ["none", "rfc8785"]
    assert profile.prompt_policy == "refuse"

    good, bad = chat_trace(readiness__prompt__hash=prompt.sha256, gen_ai__prompt__name=prompt.component.name,
                           gen_ai__prompt__version=str(prompt.number)), chat_trace()  # fmt: skip
    receipt = send(*good, *bad, system="support-bot")
    assert receipt.refused == {"its prompt is not the registered one: prompt-unknown": 1}


def test_a_denied_field_is_dropped_counted_and_told_once_an_hour(system: System, people: People) -> None:
    now = timezone.now()
    actions.set_data_policy(system=system, wanted={"denied_fields": ["customer.*"]}, by=people.privacy, now=now)
    one = span(customer__name="Zoe Example", customer__email="none", kept="yes")
    cookie = span(http__request__header__cookie=["session=1"])
    assert send(one, cookie, system=system.slug, now=now).stored == 2
    stored = {row.name: row.attributes for row in Span.objects.filter(system=system.slug)}
    assert "Zoe Example" not in str(stored) and "session=1" not in str(stored)
    seen = {row.what: row.attempts for row in UnsafeLogging.objects.filter(system=system.slug)}
    assert seen == {"field customer.*": 2, "field http.request.header.cookie": 1}

    told = Event.objects.filter(topic="audit.unsafe-logging")
    assert told.count() == 2
    unsafe.note({"field customer.*": 1}, system=system.slug, environment="production", now=now + timedelta(minutes=59))
    assert told.count() == 2
    unsafe.note({"field customer.*": 1}, system=system.slug, environment="production", now=now + timedelta(hours=1))
    assert told.count() == 3


@pytest.mark.parametrize(
    ("policy", "attribute", "what"),
    [
        ({"denied_policy": "refuse"}, {"http__request__header__cookie": "a=1"}, "field http.request.header.cookie"),
        ({"pii_policy": "refuse"}, {"note": "zoe@example.com"}, "data email"),
    ],
)
def test_what_is_refused_is_counted_too(system: System, people: People, policy, attribute, what) -> None:
    actions.set_data_policy(system=system, wanted=policy, by=people.privacy, now=timezone.now())
    receipt = send(span(**attribute), span(), system=system.slug)
    assert (receipt.stored, receipt.refused_count) == (1, 1)
    assert [row.what for row in UnsafeLogging.objects.all()] == [what]


def test_the_page_sets_the_policy_and_says_what_was_turned_away(system: System, people: People) -> None:
    client = sign_in(people.privacy)
    page = reverse("systems:traffic", args=[system.slug])
    assert "Nothing that the policy denies was sent." in client.get(page).content.decode()
    choices = {"payload_mode": "none", "pii_policy": "redact", "denied_policy": "drop", "prompt_policy": "flag"}
    saved = client.post(page, {**choices, "denied_fields": "customer.*\nuser.email", "count_scopes": ""})
    assert saved.status_code == 302
    profile = profile_of(system.slug).profile
    assert (profile.payload_mode, profile.denied_fields) == ("none", ["customer.*", "user.email"])
    send(span(customer__name="Zoe", gen_ai__request__model="m", gen_ai__operation__name="chat"), system=system.slug)
    shown = client.get(page).content.decode()
    assert "field customer.*" in shown and "Zoe" not in shown and "tests" in shown
    again = client.post(page, {**choices, "denied_fields": "customer.*\nuser.email"})
    assert again.status_code == 422 and "says already" in again.content.decode()


def test_validation_names_every_violation_and_is_recorded_without_the_payload(client) -> None:
    make_whole_system()
    bearer = {"Authorization": f"Bearer {ingest_token('support-bot')}"}

    def check(**payload):
        return client.post(
            "/api/systems/support-bot/validate", payload, content_type="application/json", headers=bearer
        )

    good = check(output={"answer": "In two days."}, retries=1).json()
    assert good["valid"] and not good["violations"]
    bad = check(output='{"answer": 7}', retries=9, tokens_out=5_000, context_chars=99_999).json()
    assert not bad["valid"]
    assert {(v["side"], v["rule"]) for v in bad["violations"]} == {
        ("output", "schema type"),
        ("output", "retries"),
        ("output", "tokens_out"),
        ("input", "context_chars"),
    }
    assert next(v["path"] for v in bad["violations"] if v["rule"] == "schema type") == "/answer"
    text = check(output="I think so").json()
    assert text["violations"][0]["message"].startswith("The text is not JSON")
    recorded = ContractCheck.objects.get(pk=bad["id"])
    assert (recorded.valid, recorded.profile) == (False, profile_of("support-bot").number)
    assert "output /answer: schema type" in recorded.violations
    assert check().status_code == 422
    assert check(retries="many", output=1).status_code == 422


def test_validation_with_a_token_of_another_system_is_refused(client) -> None:
    make_whole_system()
    bearer = {"Authorization": f"Bearer {ingest_token('other-bot')}"}
    refused = client.post(
        "/api/systems/support-bot/validate", {"output": 1}, content_type="application/json", headers=bearer
    )
    assert refused.status_code in (403, 404)
    assert not ContractCheck.objects.exists()


def test_the_api_reads_and_sets_the_policy(system: System, people: People) -> None:
    client = sign_in(people.privacy)
    address = f"/api/systems/{system.slug}/traffic"
    assert client.get(address).json()["payload_mode"] == "redacted"
    put = client.put(address, {"payload_mode": "none"}, content_type="application/json")
    assert (put.status_code, put.json()["payload_mode"], put.json()["number"]) == (200, "none", 1)
    assert client.put(address, {"payload_mode": "all"}, content_type="application/json").status_code == 422
