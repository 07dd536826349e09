"""My work: what I am told of and asked for, in a number of queries that does not grow with what waits."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from demo import walk
from systems.actions import add_consumer
from systems.kinds import Kind
from tests.factories import NOW, make_user, make_version, sign_in


def test_the_contact_of_a_consumer_acknowledges_where_they_work(stage, whole):
    """They belong to another system, and may not see the pages of this one."""
    berta = make_user("Berta Billing", "engineering", system="billing")
    prompt = whole.versions[Kind.PROMPT].component
    add_consumer(component=prompt, name="billing", contact=berta, by=stage.people.engineer, now=NOW)
    version = make_version(prompt, b"Be brief.\n", by=stage.people.engineer, reviewer=stage.people.engineer2)
    client = sign_in(berta)
    page = client.get("/").content.decode()
    assert f"system-prompt version {version.number}, for billing" in page
    there = f"/systems/support-bot/components/prompt/system-prompt/{version.number}/"
    assert client.get(there).status_code == 404
    (announcement,) = version.announcements.all()
    stranger = sign_in(make_user("Sam Stranger", "engineering", system="billing"))
    address = f"{there}announcements/{announcement.pk}/acknowledge/"
    assert address in page
    assert stranger.post(address).status_code == 404
    assert client.post(address, {"from": "work"})["Location"] == "/"
    announcement.refresh_from_db()
    assert announcement.acknowledged_by == berta
    assert "for billing" not in client.get("/").content.decode()


def test_who_is_named_for_something_is_asked_to_say_so(stage):
    assert "You are named for privacy" in sign_in(stage.people.privacy).get("/").content.decode()
    assert "You are named" not in sign_in(stage.people.auditor).get("/").content.decode()


def test_what_waits_for_verification_is_found_in_as_many_queries_whatever_waits(stage):
    client = sign_in(stage.people.engineer2)
    items = [item for item in walk.by_people(stage.release) if item.side == "engineering"]
    counts = []
    for some in (items[:2], items[2:12]):
        for item in some:
            walk.attach(stage.release, item, by=stage.people.engineer, now=NOW)
        client.get("/")
        with CaptureQueriesContext(connection) as queries:
            page = client.get("/").content.decode()
        counts.append(len(queries))
        assert all(item.title in page for item in some)
    assert counts[0] == counts[1]
    # Who attached it verifies none of it.
    assert f">{items[0].title}</span>" not in sign_in(stage.people.engineer).get("/").content.decode()
