"""The bounded run of `tests.releases.monotonic`; the long one takes a million."""

import pytest

from tests.releases import monotonic


def test_every_start_blocks_and_there_is_much_to_spoil() -> None:
    starts = monotonic.starts()
    assert len(starts) > 30
    assert min(len(list(monotonic.paths(facts))) for facts in starts) > 1000


def test_nothing_deleted_or_spoiled_opens_the_gate() -> None:
    read, opened = monotonic.run(2000, seed=1)
    assert opened == []
    assert read > 200  # the others could not even be read


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_nothing_in_a_million() -> None:
    assert monotonic.run(1_000_000, seed=13)[1] == []
