from datetime import UTC, datetime, timedelta

import pytest

from audit.approval import Approved, Finding, judge, schema_name

AT = datetime(2026, 11, 24, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
PINS = {"prompt_hash": ["sha256:aa"], "model": ["m1", "m1-2026"], "release": ["2026.11.2"]}


def approved(release="r1", pins=PINS, since=AT - HOUR, until=None):
    return Approved(release, pins["release"][0] if "release" in pins else "", pins, since, until)


def seen(**values):
    return {key: frozenset(value) for key, value in values.items()}


SAME = seen(prompt_hash=["sha256:aa"], model=["m1"], release=["2026.11.2"])


def test_everything_it_shows_is_allowed():
    assert judge(SAME, [approved()], at=AT) == Finding("approved", "r1")


def test_a_changed_prompt_under_the_same_label_is_unapproved():
    edited = {**SAME, "prompt_hash": frozenset(["sha256:bb"])}
    assert judge(edited, [approved()], at=AT).state == "unapproved"


def test_one_strange_call_among_good_ones_is_unapproved():
    mixed = {**SAME, "model": frozenset(["m1", "m2"])}
    assert judge(mixed, [approved()], at=AT).state == "unapproved"


def test_what_is_not_reported_is_named():
    silent = {**SAME, "prompt_hash": frozenset()}
    assert judge(silent, [approved()], at=AT) == Finding("incomplete", "r1", ("prompt_hash",))


def test_saying_nothing_at_all_is_no_approval():
    assert judge(seen(), [approved()], at=AT).state == "unapproved"


@pytest.mark.parametrize(
    ("since", "until", "state"),
    [
        (AT, None, "approved"),
        (AT + HOUR, None, "unapproved"),
        (AT - HOUR, AT, "unapproved"),
        (AT - HOUR, AT + HOUR, "approved"),
    ],
)
def test_only_approvals_of_that_moment_count(since, until, state):
    assert judge(SAME, [approved(since=since, until=until)], at=AT).state == state


def test_a_whole_approval_is_preferred_to_a_partial_one():
    partial = {**SAME, "release": frozenset()}
    no_label = approved("r2", {key: PINS[key] for key in ("prompt_hash", "model")})
    assert judge(partial, [approved("r1"), no_label], at=AT) == Finding("approved", "r2")


def test_releases_do_not_lend_each_other_parts():
    other = approved("r2", {"prompt_hash": ["sha256:cc"], "model": ["m2"], "release": ["2026.11.3"]})
    crossed = seen(prompt_hash=["sha256:cc"], model=["m1"], release=["2026.11.2"])
    assert judge(crossed, [approved(), other], at=AT).state == "unapproved"


def test_without_any_approval_nothing_is_approved():
    assert judge(SAME, [], at=AT).state == "unapproved"


IN, OUT = "input sha256:" + "1" * 64, "output sha256:" + "2" * 64
WITH_SCHEMA = approved(pins=PINS | {"schema": [IN, "input 3", OUT, "output 1"]})


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ([], "approved"),  # few applications say it
        ([IN], "approved"),
        ([IN, "output 1"], "approved"),
        (["input sha256:" + "2" * 64], "unapproved"),  # the digest of the other side
        ([IN, "output 2"], "unapproved"),
    ],
)
def test_a_schema_counts_where_it_is_reported(said, state):
    assert judge({**SAME, "schema": frozenset(said)}, [WITH_SCHEMA], at=AT).state == state


def test_a_release_without_schemas_allows_none_and_an_approval_from_before_says_nothing_of_them():
    reported = {**SAME, "schema": frozenset([IN])}
    assert judge(reported, [approved(pins=PINS | {"schema": []})], at=AT).state == "unapproved"
    assert judge(reported, [approved()], at=AT).state == "approved"


def test_a_schema_alone_is_neither_a_gap_nor_an_approval():
    silent = {**SAME, "prompt_hash": frozenset()}
    assert judge(silent, [WITH_SCHEMA], at=AT) == Finding("incomplete", "r1", ("prompt_hash",))
    assert judge(seen(schema=[IN]), [WITH_SCHEMA], at=AT).state == "unapproved"


def test_a_schema_is_written_in_one_way():
    assert {schema_name("input", said) for said in ("1" * 64, "SHA256:" + "1" * 64, IN.split()[1])} == {IN}
    assert {schema_name("output", said) for said in (3, "3", "v3")} == {"output 3"}
