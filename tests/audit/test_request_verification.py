"""`manage.py verify` walks the request log as well: its leaves, every signed head, and the head outside."""

import pytest
from django.db import connection

from audit import spanlog
from audit.checkpoint import TreeHead, sign
from audit.models import SpanLog
from audit.outside import Outside
from audit.request_verification import verify_requests
from audit.signing import signers
from tests.audit.attacked import NOW, run
from tests.audit.sending import span
from tests.audit.trailing import new_system, send


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
