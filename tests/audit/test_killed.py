"""Two processes add entries and sign the log, and are killed again and again: the log stays whole, and verifies."""

import random
import signal
import threading
import time
from subprocess import Popen

import pytest

from tests.audit.own_database import Own, own_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(1200)]


@pytest.fixture
def own(tmp_path):
    with own_database("killed", tmp_path) as own:
        yield own


def listen(writer: Popen[str], said: list[int]) -> threading.Thread:
    assert writer.stdout
    lines = writer.stdout
    thread = threading.Thread(target=lambda: said.extend(int(line) for line in lines if line.endswith("\n")))
    thread.start()
    return thread


def waits(own: Own) -> list[tuple[object, ...]]:
    """What each connection does or waits for, for the message of a test that fails."""
    with own.connect() as other:
        return other.execute(
            "SELECT pid, state, wait_event_type, wait_event, pg_blocking_pids(pid), left(query, 80)"
            " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()


def killed_in_the_middle(own: Own, number: int, chance: random.Random) -> list[int]:
    """Two writers, each killed at a moment of its own once it has written. Returns what they said was committed."""
    said: tuple[list[int], list[int]] = ([], [])
    writers = [own.writer(f"test:{number}-{name}", count=100_000, every=3) for name in "ab"]
    threads = [listen(*pair) for pair in zip(writers, said, strict=True)]
    for writer, heard in zip(writers, said, strict=True):
        deadline = time.monotonic() + 60
        while len(heard) < 5:
            assert writer.poll() is None and time.monotonic() < deadline, "it ended by itself"
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.1))
        writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
    for thread in threads:
        thread.join()
    for writer in writers:
        assert writer.stderr and writer.stderr.read() == ""
        writer.communicate()
    return sorted(said[0] + said[1])


@pytest.mark.parametrize("times", [2, pytest.param(60, marks=pytest.mark.long)])
def test_two_sequencers_killed_repeatedly_leave_a_log_without_a_gap_that_verifies(own, times):
    chance = random.Random(13)
    committed: list[int] = []
    for number in range(times):
        committed += killed_in_the_middle(own, number, chance)
        assert len(set(committed)) == len(committed), "a number was given twice"
        with own.connect() as other:
            indexes = [index for (index,) in other.execute("SELECT index FROM audit_entry ORDER BY index")]
        assert indexes == list(range(len(indexes))), "there is a gap"
        assert set(committed) <= set(indexes), "what was said to be committed is not there"
    assert len(committed) >= 10 * times
    # Whoever comes after them continues the log and signs it.
    assert own.write(2) == (0, "")
    code, said = own.manage("verify")
    assert (code, f"{len(indexes) + 2} of " in said or f"{len(indexes) + 3} of " in said) == (0, True), said
    assert "0 not yet signed" in said
