"""The auditor's explorer: what words find, what the counts say, what is kept, what leaves as a file."""

import csv
import io
import json
from datetime import timedelta
from hashlib import sha256

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.roles import Role
from audit import explorer, facets, handout
from audit.models import Entry, Payload, Request, SavedView
from tests.audit.sending import chat_trace, ingest_token, span
from tests.audit.trailing import new_system, send, settle
from tests.factories import make_user, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def system():
    return new_system("explored")


@pytest.fixture
def auditor():
    return make_user("Otto", Role.AUDITOR)


def question(text):
    return json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}])


@pytest.fixture
def trail(system):
    """Five requests that differ in what an auditor looks for; returns their quoted ids by name."""
    now = timezone.now()

    def ask(name, minutes, **facts):
        return chat_trace(request_id=f"q-{name}", start=now - timedelta(minutes=minutes), **facts)

    parcel, refund = (question(f"{text}, zoe@example.com") for text in ("Where is my parcel", "Refund me"))
    made = {
        "plain": ask("plain", 50, gen_ai__input__messages=parcel),
        "failed": ask("failed", 40, release="2026.11.3", gen_ai__input__messages=refund),
        "invalid": ask("invalid", 30, readiness__schema__output__valid=False),
        "slow": ask("slow", 20, gen_ai__request__model="gpt-4.1", readiness__timeout=True, readiness__retries=2),
        "old": ask("old", 30 * 60, readiness__fallback="apology", readiness__handoff=True),
    }
    made["failed"][0] |= {"status": {"code": 2}}
    made["failed"][0]["attributes"].append({"key": "error.type", "value": {"stringValue": "rate_limit"}})
    made["old"][0]["attributes"].append({"key": "readiness.tenant", "value": {"stringValue": "north wind"}})
    made["plain"].append(span("lost", trace=made["plain"][0]["traceId"], parent="ab" * 8))
    send(*(one for spans in made.values() for one in spans), system=system)
    settle()
    return made


def found(query, *systems):
    rows = explorer.search(query, systems=systems, now=timezone.now()).rows
    return {row.request_id.removeprefix("q-") for row in rows}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"plain", "failed", "invalid", "slow", "old"}),
        ("outcome:error", {"failed"}),
        ("outcome:invalid", {"invalid"}),
        ("outcome:error outcome:invalid", {"failed", "invalid"}),
        ("outcome:ok", {"plain", "slow", "old"}),
        ("outcome:timeout", {"slow"}),
        ("outcome:retried", {"slow"}),
        ("outcome:fallback", {"old"}),
        ("outcome:handoff", {"old"}),
        ("outcome:broken-chain", {"plain"}),
        ("error:rate_limit", {"failed"}),
        ("release:2026.11.3", {"failed"}),
        ("release:2026.11.2 model:gpt-4.1", {"slow"}),
        ("prompt:answer@3", {"plain", "failed", "invalid", "slow", "old"}),
        ("prompt:4", set()),
        ("prompt:sha256:aaaa", {"plain", "failed", "invalid", "slow", "old"}),
        ("tenant:'north wind'", {"old"}),
        ("source:doc-1 outcome:error", {"failed"}),
        ("source:doc-9", set()),
        ("id:q-slow", {"slow"}),
        ("q-invalid", {"invalid"}),
        ("since:24h", {"plain", "failed", "invalid", "slow"}),
        ("since:45m until:25m", {"failed", "invalid"}),
        ("environment:staging", set()),
        ("system:nobody", set()),
    ],
)
def test_words_narrow_the_list(system, trail, query, expected):
    assert found(query, system) == expected


def test_nothing_of_a_system_that_may_not_be_read(system, trail):
    assert found("") == set()
    assert found(f"system:{system}", "another") == set()


def test_one_system_is_read_by_its_own_index(system, trail):
    """Or its first page would go through whatever is newer of others, as long as they are busier."""
    now = timezone.now()
    for query, systems in ((f"system:{system}", [system, "another"]), ("", [system]), ("since:24h", [system])):
        search = explorer.search(query, systems=systems, now=now)
        assert search.within == "system"
        assert "audit_request_newest" not in search.rows.order_by(*search.order).explain()
    for query, systems in (
        ("", [system, "another"]),
        (f"system:{system} tenant:t", [system]),
        (f"system:{system} q-plain", [system]),
        (f"system:{system} system:another", [system, "another"]),
        ("system:another", [system]),
    ):
        assert explorer.search(query, systems=systems, now=now).within == "", query
    assert len(found(f"system:{system}", system)) == 5


def test_list_counts_and_file_read_it_so(system, trail, auditor):
    """Django writes 1 for the first column of the counts, which is the system."""
    client, query = sign_in(auditor), {"q": f"system:{system}"}
    for ask in (
        lambda: client.get(reverse("audit:requests"), query),
        lambda: client.get(reverse("audit:facets"), query, headers={"HX-Request": "true"}),
        lambda: client.get(reverse("audit_api:requests"), query),
        lambda: b"".join(client.post(reverse("audit:export"), query | {"format": "jsonl"}).streaming_content),
    ):
        with CaptureQueriesContext(connection) as asked:
            ask()
        orders = [one["sql"].partition("ORDER BY ")[2] for one in asked if "DESC" in one["sql"]]
        orders = [order for order in orders if '"audit_request"' in order]
        assert orders
        assert [order for order in orders if not order.startswith(('"audit_request"."system" ASC, ', "1 ASC, "))] == []


def test_a_word_without_an_index_looks_at_the_last_week_and_says_so(system):
    now = timezone.now()
    assert explorer.search("model:m", systems=[system], now=now).assumed
    assert explorer.search("model:m", systems=[system], now=now).since == now - timedelta(days=7)
    assert not explorer.search("model:m since:30d", systems=[system], now=now).assumed
    assert not explorer.search("release:r", systems=[system], now=now).assumed


@pytest.mark.parametrize("query", ["outcome:perfect", "since:yesterday", "until:2026-13-01"])
def test_what_cannot_be_is_refused_in_words(system, auditor, query):
    response = sign_in(auditor).get(reverse("audit:requests"), {"q": query})
    assert response.status_code == 400
    assert "is one of" in response.content.decode() or "is not a time" in response.content.decode()


def counts(query, system):
    result = facets.facets(explorer.search(query, systems=[system], now=timezone.now()))
    return result, {group.key: {value.value: value.count for value in group.values} for group in result.groups}


def test_counts_are_those_of_the_searches_they_lead_to(system, trail):
    result, by_key = counts("", system)
    assert (result.counted, result.exact) == (5, True)
    assert by_key["release"] == {"2026.11.2": 4, "2026.11.3": 1}
    assert by_key["outcome"] == {
        "ok": 3, "error": 1, "invalid": 1, "timeout": 1, "retried": 1, "fallback": 1, "handoff": 1, "broken-chain": 1,
        "unapproved": 5,
    }  # fmt: skip
    for group in result.groups:
        for value in group.values:
            assert len(found(value.query, system)) == value.count, value.query


def test_counts_follow_the_search_and_a_second_click_widens_it_again(system, trail):
    result, by_key = counts("release:2026.11.2 since:24h", system)
    assert by_key["model"] == {"gpt-4.1-mini": 2, "gpt-4.1": 1}
    (release,) = next(group for group in result.groups if group.key == "release").values
    assert (release.here, release.query) == (True, "since:24h")


def test_beyond_the_bound_the_counts_say_what_they_cover(system, trail, monkeypatch):
    monkeypatch.setattr(facets, "NEWEST", 2)
    result, by_key = counts("", system)
    assert (result.counted, result.exact) == (2, False)
    assert by_key["outcome"]["invalid"] == 1


def test_the_counts_beside_the_list(system, trail, auditor, django_assert_max_num_queries):
    client = sign_in(auditor)
    with django_assert_max_num_queries(20):
        page = client.get(reverse("audit:facets"), {"q": f"system:{system}"}, headers={"HX-Request": "true"})
    text = page.content.decode()
    assert "All 5 matching requests" in text
    assert "?q=system%3A" in text
    assert "outcome%3Aerror" in text
    whole = client.get(reverse("audit:facets"), {"q": f"system:{system}"}).content.decode()
    assert "<h1>Requests by value</h1>" in whole


def test_pages_of_the_list_go_on_where_the_last_one_ended(system, auditor):
    send(*(one for number in range(60) for one in chat_trace(request_id=f"p-{number:02}")), system=system)
    settle()
    client = sign_in(auditor)
    first = client.get(reverse("audit:requests"), {"q": f"system:{system}"}).content.decode()
    assert first.count("data-row") == 50
    cursor = first.split("cursor=")[1].split('"')[0]
    second = client.get(reverse("audit:requests"), {"q": f"system:{system}", "cursor": cursor}).content.decode()
    assert second.count("data-row") == 10
    seen = {f"p-{number:02}" for number in range(60) if f"<code>p-{number:02}</code>" in first + second}
    assert len(seen) == 60


# --- Kept searches ---


def test_a_search_is_kept_shared_and_removed(system, trail, auditor):
    client = sign_in(auditor)
    client.post(reverse("audit:save-view"), {"name": "Our errors", "q": "outcome:error", "shared": "on"})
    view = SavedView.objects.get()
    assert (view.name, view.query, view.shared, view.owner) == ("Our errors", "outcome:error", True, auditor.actor_id)
    other = make_user("Olga", Role.AUDITOR)
    assert "Our errors" in sign_in(other).get(reverse("audit:requests")).content.decode()
    assert sign_in(other).post(reverse("audit:remove-view", args=[view.pk])).status_code == 404
    client.post(reverse("audit:remove-view", args=[view.pk]))
    assert not SavedView.objects.exists()
    kinds = Entry.objects.filter(subject=f"trail-view:{view.pk}").order_by("index").values_list("kind", flat=True)
    assert list(kinds) == ["trail-view.saved", "trail-view.removed"]


def test_ones_own_views_are_ones_own(auditor):
    client = sign_in(auditor)
    address = "/api/audit/views"
    answer = client.post(address, {"name": "Mine", "query": "since:1h"}, content_type="application/json")
    assert answer.status_code == 201
    assert [view["name"] for view in client.get(address).json()] == ["Mine"]
    assert sign_in(make_user("Olga", Role.AUDITOR)).get("/api/audit/views").json() == []
    assert client.post(address, {"name": " ", "query": "x"}, content_type="application/json").status_code == 422
    assert client.delete(f"/api/audit/views/{answer.json()['id']}").status_code == 204
    assert client.get(address).json() == []


# --- Files ---


def exported(client, format_name, query):
    response = client.post(reverse("audit:export"), {"format": format_name, "q": query})
    assert response.status_code == 200, response.content
    assert response["Content-Disposition"].startswith("attachment")
    return response.getvalue().decode()


def test_csv_and_json_lines_hold_what_the_search_finds(system, trail, auditor, monkeypatch):
    monkeypatch.setattr(handout, "PAGE", 2)
    client = sign_in(auditor)
    rows = list(csv.DictReader(io.StringIO(exported(client, "csv", f"system:{system} since:24h"))))
    assert [row["request_id"] for row in rows] == ["q-slow", "q-invalid", "q-failed", "q-plain"]
    assert rows[2]["error_type"] == "rate_limit"
    lines = [json.loads(line) for line in exported(client, "jsonl", f"system:{system}").splitlines()]
    assert len(lines) == 5
    assert lines[0]["source_ids"] == ["doc-1", "doc-2"]
    assert lines[0]["cost_nanousd"] == Request.objects.get(request_id="q-slow").cost_nanousd


def test_an_export_is_recorded_before_and_after(system, trail, auditor):
    text = exported(sign_in(auditor), "jsonl", f"system:{system} outcome:error")
    began, done = Entry.objects.filter(subject="trail:requests").order_by("index")
    assert (began.kind, done.kind) == ("trail.export-began", "trail.exported")
    said = Payload.objects.get(pk=done.pk).read()
    assert (said["requests"], said["whole"], said["query"]) == (1, True, f"system:{system} outcome:error")
    assert said["sha256"] == sha256(text.encode()).hexdigest()


def test_a_reader_that_hangs_up_is_recorded_as_a_part(system, trail, auditor, monkeypatch):
    monkeypatch.setattr(handout, "PAGE", 1)
    search = explorer.search("", systems=[system], now=timezone.now())
    lines = handout.export(search, format_name="jsonl", query="", by=auditor, now=timezone.now())
    next(lines)
    lines.close()
    last = Entry.objects.order_by("-index")[0]
    said = Payload.objects.get(pk=last.pk).read()
    assert (last.kind, said["whole"], said["requests"]) == ("trail.exported", False, 1)


def test_a_cell_is_no_formula(system, auditor):
    send(*chat_trace(request_id="=HYPERLINK(1)"), system=system)
    settle()
    assert "'=HYPERLINK(1)" in exported(sign_in(auditor), "csv", f"system:{system}")


def test_failing_requests_leave_as_datasets_redacted(system, trail, auditor):
    client = sign_in(auditor)
    (sample,) = [
        json.loads(line) for line in exported(client, "inspect", f"system:{system} outcome:error").splitlines()
    ]
    assert sample["input"] == [{"role": "user", "content": "Refund me, [email]"}]
    assert (sample["target"], sample["metadata"]["outcome"]) == ("", "rate_limit")
    (test,) = [
        json.loads(line) for line in exported(client, "promptfoo", f"system:{system} outcome:error").splitlines()
    ]
    assert test["vars"] == {"question": "Refund me, [email]"}
    assert test["metadata"]["request_id"] == "q-failed"


def test_prompts_leave_only_with_the_right_to_read_them(system, trail):
    member = make_user("Mara", Role.ENGINEERING, system=system)
    client = sign_in(member)
    assert client.post(reverse("audit:export"), {"format": "inspect", "q": ""}).status_code == 403
    assert "q-failed" in exported(client, "csv", "")
    assert client.post(reverse("audit:export"), {"format": "xlsx", "q": ""}).status_code == 400


def test_programs_export_and_count_with_a_token_of_their_system(system, trail, client):
    secret = ingest_token(system, scopes=("trail:read",))
    bearer = {"Authorization": f"Bearer {secret}"}
    answer = client.get("/api/audit/requests/facets", {"q": "outcome:error"}, headers=bearer)
    assert answer.json()["counted"] == 1
    answer = client.get("/api/audit/requests/export", {"format": "jsonl", "q": ""}, headers=bearer)
    assert len(answer.getvalue().decode().splitlines()) == 5
    assert client.get("/api/audit/requests/export", {"format": "nothing"}, headers=bearer).status_code == 400
