"""Rehearsed with real dumps: "Restore" of docs/how-to/ledger.md; and what is said to a page that went bad on disk."""

from pathlib import Path

import pytest

from tests.audit.own_database import Own, own_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


@pytest.fixture
def own(tmp_path):
    """Ten entries, signed."""
    folder = tmp_path / "data"
    folder.mkdir()
    with own_database("restored", folder) as own:
        assert own.write(10) == (0, "")
        yield own


def test_an_older_backup_is_refused_and_the_newest_goes_on(own, tmp_path):
    old = own.dump(tmp_path / "old.dump")
    assert own.write(10) == (0, "")
    newest = own.dump(tmp_path / "newest.dump")

    own.restore(old)
    code, said = own.manage("verify")
    assert code == 1 and "the database was set back: it has " in said
    # It does not take the lost entries' places either: the first to sign finds it out, and from then on it is stopped.
    code, said = own.write(1)
    assert code and "set back" in said
    code, said = own.manage("resume_ledger", "--reason", "Restored from the backup of yesterday.")
    assert code == 1 and "The ledger stays read-only" in said

    own.restore(newest)
    code, said = own.manage("stop_ledger", "--reason", "Restored from the newest backup.")
    assert code == 0, said
    code, said = own.manage("resume_ledger", "--reason", "Restored from the newest backup.")
    assert (code, "The ledger takes entries again." in said) == (0, True), said
    assert own.write(3) == (0, "")
    code, said = own.manage("verify")
    assert (code, "The record is verified." in said) == (0, True), said
    with own.connect() as other:
        kinds = [kind for (kind,) in other.execute("SELECT kind FROM audit_entry ORDER BY index")]
    assert kinds[-4:] == ["ledger.resumed", *["test.written"] * 3]


def flip(own: Own, table: str, content: bytes) -> None:
    """One bit of what the table's file holds, on disk. No page of it is in memory: its database was copied as files."""
    with own.connect() as other:
        [folder] = other.execute("SHOW data_directory").fetchone() or [""]
        [name] = other.execute("SELECT pg_relation_filepath(%s::regclass)", [table]).fetchone() or [""]
        other.execute("CHECKPOINT")
    path = Path(folder) / name
    data = bytearray(path.read_bytes())
    place = data.index(content)
    data[place] ^= 1
    with path.open("r+b") as file:
        file.seek(place)
        file.write(data[place : place + 1])


def test_a_bit_that_flips_in_a_page_on_disk_is_found(own):
    """By PostgreSQL's own sums: no answer then. By ours where nobody looks at those: its number is named."""
    with own.connect() as other:
        [index, leaf] = other.execute("SELECT index, leaf FROM audit_entry ORDER BY index DESC LIMIT 1").fetchone()
    with own_database("spoiled", own.folder, template=own.name) as copy:
        flip(copy, "audit_entry", leaf[:60].encode())
        code, said = copy.manage("verify")
        assert (code, "Cannot decide: the database did not answer (invalid page" in said) == (3, True), said
        with copy.connect() as other:
            other.execute(f'ALTER DATABASE "{copy.name}" SET ignore_checksum_failure = on')
        code, said = copy.manage("verify")
        assert code == 1 and said.endswith(f"First bad entry: {index}.\n"), said
