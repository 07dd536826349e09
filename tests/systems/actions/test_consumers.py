"""Changes that others build on: a breaking one is announced, explained, and leaves them time."""

import json
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from audit.ledger import entries
from jobs.models import Event
from systems.actions import (
    acknowledge,
    add_consumer,
    approve_version,
    deprecate_version,
    draft_version,
    end_consumer,
    retire_version,
    submit_version,
    write_compatibility,
)
from systems.errors import InvalidInput, NotYourRole, Refused
from systems.kinds import Kind
from systems.models import Version
from tests.factories import NOW, OUTPUT_SCHEMA, make_component, make_user, make_version, sign_in

pytestmark = pytest.mark.django_db

BREAKING = {**OUTPUT_SCHEMA, "required": []}


@pytest.fixture
def schema(system, people):
    component = make_component(system, Kind.OUTPUT_SCHEMA, by=people.engineer)
    make_version(component, by=people.engineer, reviewer=people.engineer2)
    return component


def draft(schema, people, content):
    return draft_version(component=schema, content=json.dumps(content).encode(), by=people.engineer, now=NOW)


def approved(schema, people, content, *, days=30):
    version = draft(schema, people, content)
    write_compatibility(
        version=version, text="Read `answer` as optional.", window_days=days, by=people.engineer, now=NOW
    )
    submit_version(version=version, by=people.engineer, now=NOW)
    return approve_version(version=version, by=people.engineer2, now=NOW)


def test_a_breaking_change_demands_a_note_and_a_window(schema, people):
    version = draft(schema, people, BREAKING)
    with pytest.raises(Refused, match="It breaks others .answer: may be missing now"):
        submit_version(version=version, by=people.engineer, now=NOW)
    for text, days in ((" ", 30), ("Mind it.", 0), ("Mind it.", 731)):
        with pytest.raises(InvalidInput):
            write_compatibility(version=version, text=text, window_days=days, by=people.engineer, now=NOW)
    version = approved(schema, people, {**BREAKING, "title": "Answer"})
    assert version.breaks == ["answer: may be missing now"]
    assert version.breaks_against == 1


def test_the_versions_before_count_until_the_window_ends(schema, people):
    first = schema.versions.get(number=1)
    approved(schema, people, BREAKING, days=30)
    first.refresh_from_db()
    assert (first.state, first.deprecated_until) == (Version.State.DEPRECATED, NOW + timedelta(days=30))
    with pytest.raises(Refused, match="Its deprecation window ends on 23 December 2026"):
        retire_version(version=first, by=people.engineer, now=NOW + timedelta(days=29))
    ended = retire_version(version=first, by=people.engineer, now=NOW + timedelta(days=30))
    assert ended.state == Version.State.RETIRED


def test_a_compatible_change_deprecates_nothing(schema, people):
    version = make_version(
        schema, json.dumps({**OUTPUT_SCHEMA, "title": "A"}).encode(), by=people.engineer, reviewer=people.engineer2
    )
    assert version.breaks == []
    assert schema.versions.get(number=1).state == Version.State.APPROVED


def test_consumers_are_told_and_acknowledge(schema, people, system):
    outside = make_user("Berta Billing", "auditor", system=system.slug)
    billing = add_consumer(component=schema, name="billing", contact=outside, by=people.engineer, now=NOW)
    add_consumer(component=schema, name="mail", reached_at="#mail-team", by=people.engineer, now=NOW)
    gone = add_consumer(component=schema, name="gone", reached_at="#gone", by=people.engineer, now=NOW)
    end_consumer(consumer=gone, by=people.engineer, now=NOW)
    version = approved(schema, people, BREAKING)
    told = {row.consumer.name: row for row in version.announcements.all()}
    assert set(told) == {"billing", "mail"}
    event = Event.objects.get(topic="systems.version-announced")
    assert event.payload["consumers"] == ["billing", "mail"]
    assert event.payload["contacts"] == [str(outside.pk)]
    assert event.payload["window_days"] == 30
    acknowledge(announcement=told["billing"], by=outside, now=NOW)
    with pytest.raises(NotYourRole):
        acknowledge(announcement=told["mail"], by=outside, now=NOW)
    with pytest.raises(Refused, match="not this consumer's contact"):
        acknowledge(announcement=told["mail"], by=people.engineer, now=NOW)
    acknowledge(announcement=told["mail"], by=people.engineer, now=NOW, note="In #mail-team, by Max.")
    with pytest.raises(Refused, match="acknowledged it|is acknowledged already"):
        acknowledge(announcement=told["billing"], by=outside, now=NOW)
    kinds = list(entries(subject=f"version:{version.pk}").values_list("kind", flat=True))
    assert kinds.count("version.acknowledged") == 2
    assert "version.announced" in kinds
    assert billing.announcements.get().acknowledged_by == outside


def test_where_others_build_on_it_deprecating_takes_a_window(schema, people):
    add_consumer(component=schema, name="billing", reached_at="#billing", by=people.engineer, now=NOW)
    version = schema.versions.get(number=1)
    with pytest.raises(InvalidInput, match="give them a deprecation window"):
        deprecate_version(version=version, by=people.engineer2, now=NOW)
    version = deprecate_version(version=version, by=people.engineer2, now=NOW, days=10)
    assert version.deprecated_until == NOW + timedelta(days=10)


@pytest.mark.parametrize(
    ("name", "reached_at", "words"), [("", "#x", "Name the consumer"), ("x", " ", "where they are reached")]
)
def test_a_consumer_that_nobody_could_tell_is_refused(schema, people, name, reached_at, words):
    with pytest.raises(InvalidInput, match=words):
        add_consumer(component=schema, name=name, reached_at=reached_at, by=people.engineer, now=NOW)
    assert not schema.consumers.exists()


def test_the_same_consumer_is_listed_once(schema, people):
    add_consumer(component=schema, name="billing", reached_at="#b", by=people.engineer, now=NOW)
    with pytest.raises(Refused, match="already"):
        add_consumer(component=schema, name="billing", reached_at="#b", by=people.engineer, now=NOW)


def test_a_promised_window_and_an_announcement_cannot_be_rewritten(schema, people):
    add_consumer(component=schema, name="billing", reached_at="#b", by=people.engineer, now=NOW)
    version = approved(schema, people, BREAKING)
    acknowledge(announcement=version.announcements.get(), by=people.engineer, now=NOW, note="Said so.")
    for sql in (
        "UPDATE systems_version SET deprecated_until = NULL WHERE number = 1",
        "UPDATE systems_version SET breaks = '[]' WHERE number = 2",
        "UPDATE systems_announcement SET note = 'x'",
    ):
        with connection.cursor() as cursor, pytest.raises(IntegrityError), transaction.atomic():
            cursor.execute(sql)


def test_what_is_told_or_versioned_is_not_deleted(schema, people):
    add_consumer(component=schema, name="billing", reached_at="#b", by=people.engineer, now=NOW)
    version = approved(schema, people, BREAKING)
    with pytest.raises(ProtectedError), transaction.atomic():
        version.delete()
    with pytest.raises((ProtectedError, IntegrityError)), transaction.atomic():
        schema.delete()
    with pytest.raises(IntegrityError, match="never deleted"), transaction.atomic():
        schema.versions.get(number=1).delete()


def test_the_pages_show_it_and_do_it(schema, people, system):
    client = sign_in(people.engineer)
    there = f"/systems/{system.slug}/components/output_schema/answer/"
    client.post(f"{there}consumers/", {"name": "billing", "reached_at": "#billing"})
    assert "#billing" in client.get(there).content.decode()
    version = draft(schema, people, BREAKING)
    page = client.get(f"{there}2/").content.decode()
    assert "answer: may be missing now" in page
    assert "Write the compatibility note" in page
    client.post(f"{there}2/compatibility/", {"text": "It may be missing.", "window_days": 14})
    client.post(f"{there}2/submit/")
    reviewer = sign_in(people.engineer2)
    reviewer.post(f"{there}2/approve/", {"note": "Fine."})
    version.refresh_from_db()
    assert (version.state, version.window_days) == (Version.State.APPROVED, 14)
    announcement = version.announcements.get()
    assert "Not heard yet" in client.get(f"{there}2/").content.decode()
    client.post(f"{there}2/announcements/{announcement.pk}/acknowledge/", {"note": "In #billing."})
    assert "Acknowledged" in client.get(f"{there}2/").content.decode()
    client.post(f"{there}consumers/{schema.consumers.get().pk}/end/")
    assert not schema.consumers.filter(ended_at=None).exists()


def test_a_pipeline_asks_before_the_schema_is_merged(schema, people, system):
    client = sign_in(people.engineer)
    url = f"/api/systems/{system.slug}/components/output_schema/answer/compatibility"
    answer = client.post(url, {"content": json.dumps(BREAKING)}, content_type="application/json")
    assert answer.json() == {"against": 1, "compatible": False, "breaks": ["answer: may be missing now"]}
    answer = client.post(url, {"content": json.dumps(OUTPUT_SCHEMA)}, content_type="application/json")
    assert answer.json()["compatible"] is True
    answer = client.post(url, {"content": '{"type": 3}'}, content_type="application/json")
    assert answer.status_code == 422
    assert schema.versions.count() == 1


def test_the_api_does_what_the_pages_do(schema, people, system):
    client = sign_in(people.engineer)
    url = f"/api/systems/{system.slug}/components/output_schema/answer"
    made = client.post(f"{url}/consumers", {"name": "billing", "reached_at": "#b"}, content_type="application/json")
    assert made.status_code == 201, made.content
    body = {"content": json.dumps(BREAKING)}
    assert client.post(f"{url}/versions", body, content_type="application/json").status_code == 201
    note = {"note": "It may be missing.", "window_days": 9}
    answer = client.post(f"{url}/versions/2/compatibility", note, content_type="application/json")
    assert answer.json()["compatibility_note"] == "It may be missing."
    client.post(f"{url}/versions/2/submit", {}, content_type="application/json")
    approve_version(version=schema.versions.get(number=2), by=people.engineer2, now=NOW)
    told = client.get(f"{url}/versions/2/announcements").json()["results"]
    assert [row["consumer"] for row in told] == ["billing"]
    path = f"{url}/versions/2/announcements/{told[0]['id']}/acknowledge"
    assert client.post(path, {"note": "Told me."}, content_type="application/json").json()["acknowledged_at"]
    end = f"{url}/consumers/{made.json()['id']}/end"
    assert client.post(end, {}, content_type="application/json").status_code == 200
    assert client.get(f"{url}/consumers").json()["results"] == []
