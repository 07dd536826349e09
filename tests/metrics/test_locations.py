import os
from pathlib import Path
from typing import Any

import pytest

from metrics import locations
from metrics.problems import EgressRefused, Invalid, SourceFailed, TooLarge
from tests.metrics import hostile


def read(location: str, label: str = "2026.11.2", suffixes: tuple[str, ...] = (".json",)) -> tuple[str, bytes]:
    return locations.read(location, release_label=label, suffixes=suffixes, secret="")


def test_the_newest_file_that_matches_is_read(folder: Path) -> None:
    (folder / "bot").mkdir()
    for age, name in enumerate(("new.json", "old.json", "newest.txt")):
        path = folder / "bot" / name
        path.write_text(name)
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    os.utime(folder / "bot" / "newest.txt", (2_000_000, 2_000_000))
    assert read("bot/*.json") == ("new.json", b"new.json")
    assert read("bot/*") == ("new.json", b"new.json")


def test_the_releases_label_stands_in_the_path(folder: Path) -> None:
    (folder / "2026.11.2").mkdir()
    (folder / "2026.11.2" / "results.json").write_text("{}")
    assert read("{release}/results.json") == ("results.json", b"{}")
    with pytest.raises(SourceFailed, match=r"There is no file 2026\.11\.3/results\.json with the ending \.json"):
        read("{release}/results.json", "2026.11.3")


@pytest.mark.parametrize(
    "location",
    ["../secret.json", "a/../../secret.json", "/etc/passwd", "./x.json", "", "a/./b.json", "..\\secret.json",
     "*/x.json", "**", "a\0b.json", "{release.__class__}.json", "{0}.json", "{release", "{other}.json"],
)  # fmt: skip
def test_a_path_that_leads_elsewhere_is_refused(folder: Path, location: str) -> None:
    (folder.parent / "secret.json").write_text("secret")
    with pytest.raises(Invalid):
        locations.check(location)
    with pytest.raises((Invalid, SourceFailed)):
        read(location)


@pytest.mark.parametrize("label", ["../..", "..", "a/b", "", "x" * 200, "a\nb", ".hidden", "a..b"])
def test_a_label_that_leads_elsewhere_is_refused(folder: Path, label: str) -> None:
    with pytest.raises(Invalid, match="cannot stand in a location"):
        read("{release}.json", label)


def test_a_link_out_of_the_folder_is_not_followed(folder: Path) -> None:
    (folder.parent / "secret.json").write_text("secret")
    (folder / "link.json").symlink_to(folder.parent / "secret.json")
    (folder / "up").symlink_to(folder.parent)
    for location in ("link.json", "*.json", "up/secret.json"):
        with pytest.raises(SourceFailed, match="There is no file"):
            read(location)
    (folder / "real.json").write_text("fine")
    (folder / "inside.json").symlink_to(folder / "real.json")
    assert read("inside.json") == ("real.json", b"fine")


def test_folders_too_many_and_too_large_files_are_refused(folder: Path, settings: Any, monkeypatch: Any) -> None:
    (folder / "folder.json").mkdir()
    with pytest.raises(SourceFailed, match="There is no file"):
        read("folder.json")
    settings.EVIDENCE_MAX_BYTES = 10
    (folder / "large.json").write_bytes(b"x" * 11)
    with pytest.raises(TooLarge, match="more than 10 bytes"):
        read("large.json")
    monkeypatch.setattr(locations, "MAX_FILES", 1)
    (folder / "other.json").write_bytes(b"x")
    with pytest.raises(SourceFailed, match="More than 1 files match"):
        read("*.json")


def test_without_an_open_folder_nothing_is_read(settings: Any) -> None:
    settings.EVALUATION_ROOTS = []
    with pytest.raises(SourceFailed, match="READINESS_EVALUATION_ROOTS"):
        read("a.json")


def test_a_file_at_an_address_comes_through_egress(settings: Any) -> None:
    heads: list[bytes] = []

    def answer(connection: Any, head: bytes) -> None:
        heads.append(head)
        if b"GET /2026.11.2.json" in head:
            hostile.plain(b'{"a": 1}')(connection, head)
        else:
            hostile.plain(b"no such run", status="404 Not Found")(connection, head)

    with hostile.serving(answer) as port:
        address = f"http://127.0.0.1:{port}/{{release}}.json"
        with pytest.raises(EgressRefused):
            locations.check(address)
        settings.EGRESS_ALLOW = [f"127.0.0.1:{port}"]
        locations.check(address)
        found = locations.read(address, release_label="2026.11.2", suffixes=(".json",), secret="s3cret")
        assert found == ("2026.11.2.json", b'{"a": 1}')
        assert b"Authorization: Bearer s3cret" in heads[0]
        with pytest.raises(SourceFailed, match="gave no file. It answered 404: no such run"):
            read(address, "2026.11.3")
