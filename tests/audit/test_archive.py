"""Reading files out of archives from elsewhere."""

import io
import zipfile

import pytest

from audit import verify
from audit.archive import ArchiveError, member
from releases.verify.__main__ import main as verify_bundle
from tests.audit.spoiled import SPOILED, WORDS, made


def opened(data):
    return zipfile.ZipFile(io.BytesIO(data))


def test_a_file_is_read_up_to_its_bound():
    archive = opened(made("words.txt"))
    assert member(archive, "words.txt", most=len(WORDS)) == WORDS
    with pytest.raises(ArchiveError, match=r"words.txt is too large"):
        member(archive, "words.txt", most=len(WORDS) - 1)
    with pytest.raises(ArchiveError, match=r"other.txt is missing"):
        member(archive, "other.txt")


@pytest.mark.parametrize("how", SPOILED)
def test_what_cannot_be_unpacked_is_one_error(how):
    with pytest.raises(ArchiveError, match=r"words.txt cannot be unpacked"):
        member(opened(SPOILED[how](made("words.txt"))), "words.txt")


@pytest.mark.parametrize("how", SPOILED)
@pytest.mark.parametrize("main", [verify.main, verify_bundle])
def test_verifiers_say_so_in_a_sentence(main, how, tmp_path, capsys):
    path = tmp_path / "export.zip"
    path.write_bytes(SPOILED[how](made("manifest.json")))
    assert main([str(path)]) == 1
    assert "FAIL manifest.json cannot be unpacked" in capsys.readouterr().out
