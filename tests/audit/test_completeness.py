"""Two heads of the ledger: one continues the other, and nothing between them is missing."""

import base64
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from audit import completeness, ledger, merkle
from audit.actors import SYSTEM
from audit.models import Checkpoint
from tests.audit.attacked import NOW, append, attacker, run, seal
from tests.factories import make_user

pytestmark = pytest.mark.usefixtures("sealed")


def heads() -> list[Checkpoint]:
    return list(Checkpoint.objects.order_by("size"))


def test_between_two_heads_everything_is_there():
    old, new = heads()
    found = completeness.between(old, new)
    assert (found.complete, found.entries, found.expected) == (True, 5, 5)
    assert found.sentence == "All 5 entries between the two heads are there."
    merkle.verify_consistency(old.size, new.size, bytes(old.root), bytes(new.root), list(found.proof))
    assert completeness.between(new, old) == found
    assert completeness.between(None, new).entries == 11


def test_an_erased_payload_is_counted_and_one_that_vanished_is_missing():
    with transaction.atomic():
        ledger.erase(index=8, reason="A name was in it.", by=SYSTEM, now=NOW)
    seal()
    found = completeness.between(heads()[0], heads()[-1])
    assert (found.complete, found.erased, found.lost) == (True, 1, 0)
    with attacker() as cursor:
        cursor.execute("DELETE FROM audit_payload WHERE index = 9")
    found = completeness.between(heads()[0], heads()[-1])
    assert (found.complete, found.lost) == (False, 1)
    assert "gone" in found.sentence


def test_a_missing_entry_and_a_rewritten_one_are_said():
    with attacker() as cursor:
        cursor.execute("DELETE FROM audit_entry WHERE index = 9")
    found = completeness.between(*heads())
    assert not found.complete
    with attacker() as cursor:
        cursor.execute(
            "UPDATE audit_entry SET leaf_hash = set_bit(leaf_hash, 9, 1 - get_bit(leaf_hash, 9)) WHERE index = 2"
        )
    assert "does not continue" in completeness.between(*heads()).sentence


def test_page_and_api_say_the_same(client):
    reader = make_user("reader", "auditor")
    client.force_login(reader)
    today = timezone.now().date()
    days = {"since": str(today), "until": str(today)}
    page = client.get("/ledger/consistency/", days)
    assert "All 11 entries between the two heads are there." in page.text
    assert "test.written" in page.text
    answer = client.get("/api/audit/consistency", days).json()
    assert (answer["old"], answer["entries"], answer["sentence"]) == (None, 11, page.context["found"].sentence)
    old, new = heads()
    answer = client.get("/api/audit/consistency", {"old": old.size, "new": new.size}).json()
    hashes = [base64.b64decode(text) for text in answer["hashes"]]
    merkle.verify_consistency(old.size, new.size, bytes(old.root), bytes(new.root), hashes)


def test_what_cannot_be_compared_is_refused_in_words(client):
    client.force_login(make_user("reader", "auditor"))
    answer = client.get("/api/audit/consistency", {"old": 6, "new": 10})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-such-head")
    for bad in ({"old": "-1", "new": "6"}, {"old": "6"}, {"since": "yesterday", "until": "2026-01-01"}, {}):
        assert client.get("/api/audit/consistency", bad).status_code == 400, bad
    long_ago = {"since": "2020-01-01", "until": "2020-01-02"}
    assert client.get("/api/audit/consistency", long_ago).status_code == 404
    assert "Nothing was signed by then" in client.get("/ledger/consistency/", long_ago).text
    assert client.get("/ledger/consistency/", {"since": "no", "until": "day"}).status_code == 200


def test_the_same_act_before_is_shown_beside(client):
    client.force_login(make_user("reader", "auditor"))
    for limit in (5, 7):
        with transaction.atomic():
            ledger.append(
                kind="test.limited", by=SYSTEM, subject="test:limit", now=NOW, system="bot", payload={"limit": limit}
            )
    index = ledger.entries(subject="test:limit").last().index
    shown = client.post(f"/ledger/{index}/payload/").text
    assert f"entry {index - 1}" in shown.replace("\n", " ")
    assert "<del>5</del>" in shown and "<ins>7</ins>" in shown


def test_an_operator_freezes_the_ledger_and_lets_it_go_on():
    assert run("stop_ledger", "--reason", "We look into it.")[0] == 0
    with pytest.raises(ledger.ReadOnly):
        append()
    code, text = run("resume_ledger", "--reason", "Nothing was wrong.")
    assert (code, "takes entries again" in text) == (0, True)
    append()


def test_days_count_whole(settings):
    tomorrow = timezone.now().date() + timedelta(days=1)
    assert completeness.of_days(tomorrow, tomorrow).expected == 0
