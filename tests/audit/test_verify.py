"""The offline verifier: a real export passes, and every forged one is refused for its own reason."""

import base64
import io
import subprocess
import sys
import zipfile
from dataclasses import replace

import pytest

from audit import canonical, verify
from audit.archive import ArchiveError
from audit.checkpoint import TreeHead, sign
from tests.audit.made_up import KEY, ORIGIN, STRANGER, Archive, erased, head, item, line, log

LOG = log(10)
NOTE = sign(head(LOG), [KEY])


def check(archive: Archive | io.BytesIO, **options) -> list[tuple[str, str]]:
    file = archive.zip() if isinstance(archive, Archive) else archive
    return list(verify.steps(verify.open_export(file, **options)))


def test_an_export_verifies_step_by_step():
    found = check(Archive(LOG, sizes=(1, 4, 10)), keys=[str(KEY.public)], checkpoint=sign(head(LOG, 7), [KEY]))
    assert [what for what, _ in found] == [
        "The archive holds the files that its manifest names",
        "The public keys",
        "The checkpoints are signed, for this log",
        "Entries: payload, commitment, leaf, tree, every checkpoint",
    ]
    assert "yours is among them" in found[1][1]
    assert "yours, over 7 entries" in found[2][1]
    assert found[3][1] == "10 entries"


def test_without_a_key_of_ones_own_it_says_so():
    assert "compare with a copy of your own" in check(Archive(LOG))[1][1]


def test_erased_payloads_verify_with_their_tombstone():
    tombstone = item(10, kind="ledger.payload-erased", subject="entry:3")
    found = check(Archive([*LOG[:3], erased(LOG[3]), *LOG[4:], tombstone]))
    assert found[-1][1] == "11 entries, 1 with an erased payload"


def lines(items) -> bytes:
    return b"".join(map(line, items))


def notes(*texts: str) -> bytes:
    return b"".join(canonical.dumps({"note": text}) + b"\n" for text in texts)


def without(name: str) -> io.BytesIO:
    written = io.BytesIO()
    with zipfile.ZipFile(Archive(LOG).zip()) as source, zipfile.ZipFile(written, "w") as target:
        for info in source.infolist():
            if info.filename != name:
                target.writestr(info, source.read(info))
    written.seek(0)
    return written


def duplicated() -> io.BytesIO:
    archive = Archive(LOG, extra=[("entries.jsonl", lines(LOG[:2]))])
    with pytest.warns(UserWarning, match="Duplicate name"):
        return archive.zip()


def broken() -> io.BytesIO:
    """One bit of the stored entries flipped."""
    data = bytearray(Archive(LOG).zip().getvalue())
    data[200] ^= 1
    return io.BytesIO(bytes(data))


REWRITTEN = [*LOG[:5], item(5, note="rewritten"), *LOG[6:]]
EDITED = replace(LOG[5], payload=b'{"note":"","number":55}')
DOUBLE = line(LOG[5]).replace(b'{"leaf"', b'{"leaf":"something else","leaf"')
FORGED = {
    "not an archive": (lambda: io.BytesIO(b"PK"), "not a zip", None),
    "no manifest": (lambda: without("manifest.json"), "no manifest", None),
    "no entries": (lambda: without("entries.jsonl"), "exactly", None),
    "a file besides": (lambda: Archive(LOG, extra=[("more.txt", b"")]), "exactly", None),
    "a file twice": (duplicated, "twice", None),
    "another format": (lambda: Archive(LOG, manifest={"format": "other"}), "does not say", None),
    "another version": (lambda: Archive(LOG, manifest={"version": 2}), "does not say", None),
    "no size": (lambda: Archive(LOG, manifest={"size": "10"}), "no origin and size", None),
    "entries exchanged": (
        lambda: Archive(LOG, manifest={"files": dict.fromkeys(verify.FILES, "sha256:" + "0" * 64)}),
        "its digest is another",
        None,
    ),
    "no key": (lambda: Archive(LOG, files={"keys.txt": b"\n"}), "no public key", None),
    "a key that is none": (lambda: Archive(LOG, files={"keys.txt": b"key\n"}), "keys.txt", None),
    "another key in keys.txt": (
        lambda: Archive(LOG, files={"keys.txt": f"{STRANGER.public}\n".encode()}),
        "not signed by a known key",
        None,
    ),
    "no checkpoint": (lambda: Archive(LOG, files={"checkpoints.jsonl": b""}), "no checkpoint", None),
    "checkpoint altered": (
        lambda: Archive(LOG, files={"checkpoints.jsonl": notes(NOTE.replace("\n10\n", "\n11\n"))}),
        "does not fit the text",
        None,
    ),
    "checkpoint of another log": (
        lambda: Archive(LOG, manifest={"origin": "readiness/another/decisions"}),
        "of another log",
        None,
    ),
    "checkpoints out of order": (lambda: Archive(LOG, sizes=(10, 4)), "not all of them", None),
    "entries after the last checkpoint": (lambda: Archive(LOG, sizes=(8,)), "not all of them", None),
    "entries after the last checkpoint, size adjusted": (
        lambda: Archive(LOG, sizes=(8,), manifest={"size": 8}),
        "entry 8: no checkpoint covers it|entry 8",
        8,
    ),
    "tail cut": (lambda: Archive(LOG, files={"entries.jsonl": lines(LOG[:8])}), "covers 10 entries", 8),
    "entry removed": (
        lambda: Archive(LOG, files={"entries.jsonl": lines([*LOG[:5], *LOG[6:]])}),
        "says it is entry 6",
        5,
    ),
    "entries swapped": (
        lambda: Archive(LOG, files={"entries.jsonl": lines([*LOG[:5], LOG[6], LOG[5], *LOG[7:]])}),
        "says it is entry 6",
        5,
    ),
    "payload edited": (
        lambda: Archive(LOG, files={"entries.jsonl": lines([*LOG[:5], EDITED, *LOG[6:]])}),
        "not the one that was recorded",
        5,
    ),
    "entry rewritten with its hashes": (
        lambda: Archive(LOG, sizes=(5, 6, 10), files={"entries.jsonl": lines(REWRITTEN)}),
        "entry 5 was rewritten",
        5,
    ),
    "payload gone": (
        lambda: Archive(LOG, files={"entries.jsonl": lines([*LOG[:5], erased(LOG[5]), *LOG[6:]])}),
        "no entry says that it was erased",
        5,
    ),
    "leaf not canonical": (
        lambda: Archive(LOG, files={"entries.jsonl": lines(LOG).replace(b'\\"bot\\"', b' \\"bot\\"', 1)}),
        "canonical form",
        0,
    ),
    "a line that two readers read differently": (
        lambda: Archive(LOG, files={"entries.jsonl": lines(LOG[:5]) + DOUBLE + lines(LOG[6:])}),
        "canonical form",
        5,
    ),
    "a line that is no JSON": (
        lambda: Archive(LOG, files={"entries.jsonl": lines(LOG[:5]) + b"\xff\n"}),
        "cannot be read",
        5,
    ),
    "salt in another spelling": (
        lambda: Archive(
            LOG,
            files={"entries.jsonl": lines(LOG).replace(base64.b64encode(LOG[2].salt or b""), b"AA", 1)},
        ),
        "cannot be read",
        2,
    ),
    "a line without end": (
        lambda: Archive(LOG, files={"entries.jsonl": b"x" * (verify.MAX_LINE_BYTES + 10)}),
        "has a line of more than",
        None,
    ),
    "a bit flipped in the archive": (broken, "entries.jsonl cannot be unpacked", None),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_exports_are_refused_for_their_own_reason(name):
    make, reason, index = FORGED[name]
    with pytest.raises((verify.ExportError, ArchiveError), match=reason) as caught:
        check(make())
    assert getattr(caught.value, "index", None) == index


def test_an_export_that_somebody_made_up_whole_needs_the_key_to_be_known():
    made_up = Archive(REWRITTEN, signer=STRANGER)
    check(made_up)  # consistent with itself
    with pytest.raises(verify.ExportError, match="none of the keys"):
        check(made_up, keys=[str(KEY.public)])
    both_listed = Archive(REWRITTEN, signer=STRANGER, files={"keys.txt": f"{STRANGER.public}\n{KEY.public}\n".encode()})
    with pytest.raises(verify.ExportError, match="with your key"):
        check(both_listed, keys=[str(KEY.public)])


def test_a_checkpoint_of_ones_own_shows_what_the_export_leaves_out():
    with pytest.raises(verify.ExportError, match="its end was cut off") as caught:
        check(Archive(LOG[:8]), checkpoint=NOTE)
    assert caught.value.index == 8
    with pytest.raises(verify.ExportError, match="another root"):
        check(Archive(REWRITTEN), checkpoint=sign(head(LOG, 7), [KEY]))
    with pytest.raises(verify.ExportError, match="another log"):
        check(Archive(LOG), checkpoint=sign(TreeHead("elsewhere", 3, bytes(32)), [KEY]))
    with pytest.raises(verify.ExportError, match="known key"):
        check(Archive(LOG), checkpoint=sign(head(LOG, 7), [STRANGER]))


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """As an auditor would: a Python that has no Django, here made blind to it."""
    blind = "import sys; [sys.modules.__setitem__(name, None) for name in ('django', 'psycopg', 'celery')];"
    code = f"{blind} from audit.verify import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_the_command_line_says_it_in_numbered_steps(tmp_path):
    (tmp_path / "good.zip").write_bytes(Archive(LOG).zip().getvalue())
    (tmp_path / "mine.checkpoint").write_text(sign(head(LOG, 7), [KEY]), encoding="utf-8")
    done = run(tmp_path / "good.zip", "--key", KEY.public, "--checkpoint", tmp_path / "mine.checkpoint")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [text[:2] for text in done.stdout.splitlines()[:4]] == ["1.", "2.", "3.", "4."]
    assert f"log {ORIGIN}, 10 entries" in done.stdout
    assert done.stdout.splitlines()[-1] == "The export is verified."


def test_the_command_line_names_the_first_bad_entry(tmp_path):
    forged = Archive(LOG, files={"entries.jsonl": lines([*LOG[:5], EDITED, *LOG[6:]])})
    (tmp_path / "bad.zip").write_bytes(forged.zip().getvalue())
    done = run(tmp_path / "bad.zip")
    assert done.returncode == 1
    assert "4. FAIL entry 5: its payload is not the one that was recorded" in done.stdout
    assert done.stdout.splitlines()[-1] == "The export is NOT verified. First bad entry: 5."


def test_the_command_line_on_what_is_no_export(tmp_path):
    (tmp_path / "text.zip").write_text("hello")
    assert run(tmp_path / "text.zip").returncode == 1
    assert run(tmp_path / "absent.zip").returncode == 2
    (tmp_path / "good.zip").write_bytes(Archive(LOG).zip().getvalue())
    assert run(tmp_path / "good.zip", "--key", "nonsense").returncode == 2
    assert run().returncode == 2
