"""`manage.py verify` walks the request log as well: its leaves, every signed head, and the head outside."""

import pytest
from django.db import connection

from audit import spanlog, trail
from audit.checkpoint import TreeHead, sign
from audit.models import SpanLog
from audit.outside import Outside
from audit.request_verification import verify_requests, verify_spans
from audit.signing import signers
from tests.audit.attacked import NOW, run
from tests.audit.sending import chat_trace, span
from tests.audit.trailing import new_system, send, settle


@pytest.fixture
def signed(ledger):
    send(*[span() for _ in range(30)], system=new_system())
    assert spanlog.sequence(now=NOW) >= 30
    assert spanlog.sign_head(now=NOW).size == SpanLog.objects.get().size


def overwrite(statement: str) -> None:
    """As a superuser would who lifts the guards; the test's rollback puts them back."""
    with connection.cursor() as cursor:
        for table in ("audit_span_batch", "audit_span_checkpoint", "audit_span_log"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement)


def failing() -> list[str]:
    return [step.detail for step in verify_requests() if not step.ok]


def test_a_signed_log_is_verified_and_the_command_says_so(signed):
    assert failing() == []
    code, text = run("verify")
    assert "Request log: leaves, tree, checkpoints: " in text and "1 signed heads verified" in text
    assert (code, "The record is verified." in text) == (0, True), text


def test_a_changed_leaf_is_found(signed):
    overwrite("UPDATE audit_span_batch SET leaves = set_bit(leaves, 9, 1 - get_bit(leaves, 9))")
    assert "is not what was signed" in " ".join(failing())
    assert run("verify")[0] == 1


def test_a_log_that_was_set_back_is_behind_its_head_outside(signed):
    overwrite("DELETE FROM audit_span_checkpoint; DELETE FROM audit_span_batch; UPDATE audit_span_log SET size = 0")
    assert "the database was set back: it has 0 spans" in failing()[0]


def test_a_head_of_another_history_is_found(signed):
    log = SpanLog.objects.get()
    note = sign(TreeHead(log.origin, log.size, b"x" * 32), signers(log.origin))
    Outside.of(spanlog.LOG).keep(note, hashes=b"", start=0)
    assert "is not the one that is kept outside" in failing()[0]
    Outside.of(spanlog.LOG).checkpoint.unlink()
    assert "it is not there" in failing()[0]


def test_a_changed_span_row_is_named_exactly_and_its_neighbours_are_not(ledger):
    system = new_system()
    good, other = chat_trace(request_id="req-good"), chat_trace(request_id="req-other")
    send(*good, *other, system=system)
    spanlog.sequence(now=NOW)
    spanlog.sign_head(now=NOW)
    assert verify_spans().ok
    changed = other[2]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_span DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE audit_span SET tokens_out = 1 WHERE system = %s AND span_id = %s", [system, changed["spanId"]]
        )
        assert cursor.rowcount == 1
    step = verify_spans()
    assert not step.ok
    assert step.detail == (
        f"not as received: span {changed['spanId']} ({changed['name']}) of trace {changed['traceId']}, system {system}"
    )
    assert run("verify")[0] == 0, "the leaves are what was signed: only the row lies"
    code, text = run("verify", "--spans")
    assert code == 1 and f"span {changed['spanId']}" in text and good[2]["spanId"] not in text
    (view,) = trail.find(changed["traceId"], system=system)
    assert trail.check(view) == (
        False, f"The stored span {changed['name']!r} ({changed['spanId']}) is not the one that was received."
    )  # fmt: skip


def test_a_number_that_nobody_can_have_sent_is_told_like_any_other_change(ledger):
    system = new_system()
    sent = chat_trace(request_id="req-number")
    send(*sent, system=system)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_span DISABLE TRIGGER USER")
        huge = '{"n": 1' + "0" * 40 + "}"
        cursor.execute("UPDATE audit_span SET attributes = %s WHERE span_id = %s", [huge, sent[0]["spanId"]])
    assert f"span {sent[0]['spanId']}" in verify_spans().detail
    (view,) = trail.find(sent[0]["traceId"], system=system)
    assert trail.check(view)[0] is False


def test_a_span_that_is_gone_is_missed(ledger):
    system = new_system()
    sent = chat_trace(request_id="req-gone")
    send(*sent, system=system)
    settle()
    spanlog.sign_head(now=NOW)
    (view,) = trail.find("req-gone", system=system)
    assert trail.check(view)[0] is True
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_span DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM audit_span WHERE span_id = %s", [sent[1]["spanId"]])
    (view,) = trail.find("req-gone", system=system)
    assert trail.check(view) == (False, "1 of the 3 spans of this request are not stored any more.")


def test_a_span_that_came_after_the_newest_head_waits_for_the_next(signed):
    system = new_system()
    sent = chat_trace(request_id="req-waits")
    send(*sent, system=system)
    spanlog.sequence(now=NOW)  # it has its number
    (view,) = trail.find(sent[0]["traceId"], system=system)
    assert trail.check(view) == (
        None, "The spans are as they were received; 3 of them wait for the next signed head."
    )  # fmt: skip
    spanlog.sign_head(now=NOW)
    assert trail.check(view)[0] is True
