"""JUnit XML, read from what pytest itself writes, and from what nobody should write."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from metrics.connectors import junit
from metrics.problems import Unreadable
from tests.metrics.samples import BETTER, DATASET_HASH, IDENTITY

TESTS = """
import pytest

@pytest.fixture(scope="session", autouse=True)
def about(record_testsuite_property):
    for name, value in ABOUT.items():
        record_testsuite_property(name, value)

def test_refund(record_property):
    record_property("readiness.tags", "plain, edge")
    record_property("readiness.score.grounded", 0.75)

def test_angry():
    assert "sorry" in "no", "it did not apologise"

@pytest.fixture
def broken():
    raise ValueError("the model is away")

def test_errors(broken):
    pass

def test_skipped():
    pytest.skip("later")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file that the real runner makes."""
    folder = tmp_path_factory.mktemp("junit")
    (folder / "test_bot.py").write_text(f"ABOUT = {IDENTITY[BETTER]!r}\n" + TESTS)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "--junitxml=out.xml", "-p", "no:django", "-p", "no:cacheprovider"]
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return Path(folder / "out.xml").read_bytes()


def test_what_pytest_writes_is_read(made: bytes) -> None:
    answer = junit.parse(made)
    found = {case.case_id: case for case in answer.cases}
    assert {name: case.scores["passed"] for name, case in found.items()} == {
        "test_bot.test_refund": Fraction(1),
        "test_bot.test_angry": Fraction(0),
        "test_bot.test_errors": None,
        "test_bot.test_skipped": None,
    }
    assert found["test_bot.test_refund"].scores["grounded"] == Fraction(3, 4)
    assert found["test_bot.test_refund"].tags == ("plain", "edge")
    assert found["test_bot.test_skipped"].error == "skipped: later"
    assert "apologise" in found["test_bot.test_angry"].output
    assert (answer.claims.release, answer.claims.dataset_hash) == (BETTER, DATASET_HASH)
    assert answer.claims.pins["model"] == "support-small-2026-09"
    assert answer.finished_at is not None
    assert answer.metric == "passed"


def test_a_test_that_was_taken_out_is_noticed(made: bytes) -> None:
    text = made.decode()
    start = text.index("<testcase", text.index("test_angry") - 60)
    cut = text[:start] + text[text.index("</testcase>", start) + len("</testcase>") :]
    with pytest.raises(Unreadable, match="counts 4 tests in pytest and holds 3"):
        junit.parse(cut.encode())


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not whole XML"),
        (b"<testsuite><testcase name='a'>", "not whole XML"),
        (b"<html></html>", "no test suite"),
        (b"<testsuites/>", "no test suite"),
        (b"<testsuite/>", "no tests"),
        (b"<testsuite><testcase/></testsuite>", "without a usable name"),
        (b"<testsuite><testcase name='a'/><testcase name='a'/></testsuite>", "a twice"),
        (b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><testsuite><testcase name='&a;'/></testsuite>", "declares entities"),
        ("<testsuite><testcase name='ä'/></testsuite>".encode("latin-1"), "not text in UTF-8"),
        (
            b"<testsuites><testsuite><properties><property name='readiness.release' value='1'/></properties>"
            b"<testcase name='a'/></testsuite><testsuite><properties><property name='readiness.release' value='2'/>"
            b"</properties></testsuite></testsuites>",
            "contradicts itself",
        ),
    ],
)
def test_bad_files_are_refused_with_the_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        junit.parse(raw)


def test_a_time_without_a_zone_is_no_time() -> None:
    raw = b"<testsuite name='s' timestamp='2026-11-24T10:00:00' time='4'><testcase name='a'/></testsuite>"
    assert junit.parse(raw).finished_at is None
    zoned = junit.parse(raw.replace(b"10:00:00", b"10:00:00+01:00")).finished_at
    assert zoned is not None
    assert zoned.isoformat() == "2026-11-24T09:00:04+00:00"
