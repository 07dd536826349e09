"""The auditor's own heads: a log that grows passes; one that was set back or signed twice is caught, with proof."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from audit import merkle, witness
from audit.checkpoint import NoteError, Signer, TreeHead, sign

ORIGIN = "readiness.example/decisions"
KEY, OTHER = Signer(ORIGIN, b"k" * 32), Signer(ORIGIN, b"o" * 32)
KEYS = [KEY.public]


class Log:
    """A log with a key, whose operator may do what operators do."""

    def __init__(self, size: int, *, mark: str = "", key: Signer = KEY) -> None:
        self.leaves = [merkle.leaf_hash(f"{number}{mark if number >= 5 else ''}".encode()) for number in range(size)]
        self.key = key

    def note(self) -> str:
        return sign(TreeHead(ORIGIN, len(self.leaves), merkle.root(self.leaves)), [self.key])

    def prove(self, old: int, new: int) -> list[bytes]:
        return merkle.consistency_proof(old, new, merkle.in_memory(self.leaves))


def look(folder: witness.Folder, log: Log) -> str:
    return witness.witness(folder, KEYS, log.note, log.prove)


@pytest.fixture
def folder(tmp_path: Path) -> witness.Folder:
    return witness.Folder(tmp_path / "heads")


def test_a_log_that_grows_is_kept_head_by_head(folder):
    assert look(folder, Log(7)) == "the first head that is kept: 7 entries"
    assert look(folder, Log(7)) == "as it was: 7 entries"
    assert look(folder, Log(12)) == "12 entries, which continue the 7 kept"
    kept = sorted(path.name for path in folder.path.iterdir())
    assert kept == ["000000000007.checkpoint", "000000000012.checkpoint", "head", "lock"]
    assert (folder.path / "head").read_text() == Log(12).note()


def test_a_log_that_was_set_back_is_caught_and_its_head_kept_as_evidence(folder):
    look(folder, Log(12))
    with pytest.raises(witness.Contradiction, match="set back: it has 9 entries, the head kept has 12"):
        look(folder, Log(9))
    assert (folder.path / "head").read_text() == Log(12).note()
    [evidence] = folder.path.glob("contradicts-*")
    assert evidence.read_text() == Log(9).note()


def test_a_split_view_is_caught(folder):
    """Two auditors are shown two histories, each signed by the true key, each consistent in itself."""
    look(folder, Log(9))
    with pytest.raises(witness.Contradiction, match="a split view"):
        look(folder, Log(9, mark="another"))


def test_a_rewritten_log_that_grew_is_caught(folder):
    look(folder, Log(9))
    with pytest.raises(witness.Contradiction, match="does not continue that of 9"):
        look(folder, Log(20, mark="another"))
    assert look(folder, Log(20)) == "20 entries, which continue the 9 kept"


def test_the_head_of_somebody_else_is_set_beside_whichever_is_older(folder):
    look(folder, Log(9))
    for size in (4, 9, 15):
        assert f"{max(size, 9)} entries" in witness.set_beside(folder, KEYS, Log(size).note(), Log(15).prove)
    assert (folder.path / "head").read_text() == Log(9).note()
    with pytest.raises(witness.Contradiction, match="split view"):
        witness.set_beside(folder, KEYS, Log(9, mark="x").note(), Log(15).prove)
    with pytest.raises(witness.Contradiction, match="does not continue"):
        witness.set_beside(folder, KEYS, Log(15, mark="x").note(), Log(15, mark="x").prove)


def test_a_head_by_another_key_is_not_kept(folder):
    with pytest.raises(witness.Contradiction, match="not signed by your key"):
        look(folder, Log(5, key=OTHER))
    assert not (folder.path / "head").exists()


def test_a_folder_that_was_tampered_with_is_not_believed(folder):
    look(folder, Log(5))
    (folder.path / "head").write_text(Log(3, key=OTHER).note())
    with pytest.raises(NoteError):
        look(folder, Log(9))


class Service:
    """What of the API a witness asks, with an answer that a test may spoil."""

    def __init__(self, log: Log) -> None:
        self.log, self.broken = log, False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = outer.answer(self.path)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path: str) -> tuple[int, object]:
        if self.broken:
            return 503, {"type": "/problems/unavailable"}
        if "consistency" in path:
            return 404, {"type": "/problems/no-such-head"}
        return 200, {"note": self.log.note()}


@pytest.fixture
def service():
    service = Service(Log(7))
    threading.Thread(target=service.server.serve_forever, daemon=True).start()
    yield service
    service.server.shutdown()
    service.server.server_close()


def command(service: Service, folder: Path, *more: str) -> int:
    return witness.main([service.url, "--key", str(KEY.public), "--folder", str(folder), *more])


def test_the_command_says_what_it_found_by_its_exit_code(service, tmp_path, capsys):
    assert command(service, tmp_path) == 0
    assert capsys.readouterr().out == "The log holds: the first head that is kept: 7 entries.\n"
    service.log = Log(9)  # and a server that no longer knows the head of 7
    assert command(service, tmp_path) == 1
    assert "CONTRADICTION: the log has no proof" in capsys.readouterr().out
    service.broken = True
    assert command(service, tmp_path) == 3
    assert "Cannot decide" in capsys.readouterr().err
    assert command(service, tmp_path, "--compare", str(tmp_path / "nothing")) == 2
