"""The checklist is read again whenever one of its rows was written, by whatever way, and only then (decision 12)."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from audit import canonical
from releases import state
from releases.decisions import standing
from releases.gate.types import Question
from releases.locking import lock
from releases.models import Evidence, Item, Rollout
from tests.releases.conftest import NOW, Stage
from tests.releases.ready import make_ready

pytestmark = pytest.mark.django_db


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was read from the tables, one entry a time."""
    found: list[Any] = []
    real = state._read_checklist
    monkeypatch.setattr(state, "_read_checklist", lambda release: found.append(release.pk) or real(release))
    monkeypatch.setattr(state, "_kept", {})
    return found


@pytest.fixture
def seen(stage: Stage, reads: list[Any]) -> Callable[[], dict[str, state.ItemRow]]:
    make_ready(stage)
    return lambda: {row.key: row for row in state.read(stage.again()).items}


def test_what_nobody_wrote_is_not_read_again(seen: Callable[[], Any], reads: list[Any]) -> None:
    first = seen()
    before = len(reads)
    assert seen() == first
    assert len(reads) == before


def test_a_write_by_any_way_is_seen_at_once(seen: Callable[[], Any], stage: Stage) -> None:
    done = next(row for row in seen().values() if row.verified_by_id and row.evidence)
    lock(stage.release.pk)
    sql = connection.cursor().execute
    sql("UPDATE releases_item SET stale_reason = 'changed by hand' WHERE id = %s", [done.pk])
    assert seen()[done.key].stale_reason == "changed by hand"
    sql("UPDATE releases_item SET stale_reason = 'and again' WHERE id = %s", [done.pk])
    assert seen()[done.key].stale_reason == "and again", "in the same transaction"
    piece = Evidence.objects.filter(item=done.pk, superseded_at=None).latest("attached_at")
    sql("UPDATE releases_evidence SET superseded_at = now() WHERE id = %s", [piece.pk])
    assert seen()[done.key].evidence == done.evidence[:-1]
    sql("UPDATE releases_evidence SET superseded_at = NULL WHERE id = %s", [piece.pk])
    assert seen()[done.key].evidence == done.evidence


def test_what_was_rolled_back_never_was(seen: Callable[[], Any], stage: Stage) -> None:
    item = Item.objects.filter(release=stage.release).first()
    assert item
    before = seen()[item.key]
    for words in ("one", "two"):
        with transaction.atomic():
            lock(stage.release.pk)
            Item.objects.filter(pk=item.pk).update(sent_back_reason=words)
            assert seen()[item.key].sent_back_reason == words
            transaction.set_rollback(True)
        assert seen()[item.key] == before


def test_what_is_written_while_it_is_read_is_not_kept(
    seen: Callable[[], Any], stage: Stage, reads: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    item = Item.objects.filter(release=stage.release).first()
    assert item
    real = state._read_checklist

    def overtaken(release: Any) -> Any:
        rows = real(release)
        lock(stage.release.pk)
        Item.objects.filter(pk=item.pk).update(sent_back_reason="meanwhile")
        return rows

    monkeypatch.setattr(state, "_kept", {})
    monkeypatch.setattr(state, "_read_checklist", overtaken)
    assert seen()[item.key].sent_back_reason == ""
    assert not state._kept
    monkeypatch.setattr(state, "_read_checklist", real)
    assert seen()[item.key].sent_back_reason == "meanwhile"


def test_what_is_made_of_the_rows_goes_with_them(seen: Callable[[], Any], stage: Stage, reads: list[Any]) -> None:
    """The facts about the items, and their part of the state, are kept with the rows and no longer."""

    def stands() -> tuple[Any, str]:
        found = standing(stage.again(), Question.CANARY, now=NOW)
        return {item.key: item for item in found.facts.items}, found.state_digest

    done = next(row for row in seen().values() if row.verified_by_id and row.evidence)
    facts, digest = stands()
    read = len(reads)
    assert stands() == (facts, digest)
    assert len(reads) == read
    lock(stage.release.pk)
    Item.objects.filter(pk=done.pk).update(verified_digests=["sha256:" + "0" * 64])
    changed, other = stands()
    assert changed[done.key].verified_digests == ("sha256:" + "0" * 64,)
    assert other != digest
    Item.objects.filter(pk=done.pk).update(verified_digests=done.verified_digests)
    assert stands() == (facts, digest)


def test_few_releases_are_kept(seen: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_kept", {f"old {n}": state.Checklist(()) for n in range(state._KEPT_RELEASES)})
    seen()
    assert len(state._kept) == state._KEPT_RELEASES
    assert "old 0" not in state._kept


def test_the_digest_is_that_of_the_canonical_state(stage: Stage) -> None:
    """Written by the fast writer, checked with the one that knows every type."""
    make_ready(stage)
    lock(stage.release.pk)
    Item.objects.filter(release=stage.release).update(not_applicable_reason='Größe 1e+5, \U0001f6a2 und "Zitat"')
    release = stage.again()
    Rollout.objects.filter(release=release).update(steps=[{"share": "0.05", "hours": 2}], error_rate_max="0.0100")
    assert state.state_digest(release) == canonical.digest(state.recorded_state(release))
    assert state.recorded_state(release)["plan"]["error_rate_max"] == "0.01"
