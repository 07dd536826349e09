"""Words, icons and tones of every status; an unlisted one is shown, and shown as unsure."""

import pytest
from django.db.models import TextChoices

from web.statuses import STATUSES, status_of
from web.templatetags.ui import icon, pill


class State(TextChoices):
    ROLLED_BACK = "rolled_back"


@pytest.mark.parametrize("status", STATUSES.values(), ids=STATUSES)
def test_every_status_has_a_word_and_an_icon_that_exists(status):
    assert status.word[0].isupper()
    assert icon(status.icon).startswith("<svg")
    assert status.tone in ("ok", "bad", "warn", "info", "hold", "idle")


def test_spellings_of_the_code_find_their_status():
    assert status_of("sent_back").word == "Sent back"
    assert status_of(State.ROLLED_BACK).word == "Rolled back"
    assert status_of("pass") is STATUSES["passed"]
    assert status_of(None) is STATUSES["unknown"]


def test_what_nobody_listed_shows_itself_and_is_unsure():
    found = status_of("half_baked")
    assert (found.word, found.sure) == ("Half baked", False)


def test_unknown_never_looks_like_failure():
    failed, unknown = pill("failed"), pill("unknown")
    assert 'data-tone="bad"' in failed
    assert 'data-sure="yes"' in failed
    assert 'data-tone="warn"' in unknown
    assert 'data-sure="no"' in unknown


def test_a_pill_says_what_it_is_told_and_escapes_it():
    assert "<span>Lapses &lt;soon&gt;</span>" in pill("verified", "Lapses <soon>")
