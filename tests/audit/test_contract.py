import json

import pytest

from audit.contract import IngestProfile, ProfileError, check_span

SCHEMA = {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "string"}}}


def check(profile, **changes):
    values = {
        "kind": "model",
        "input_text": None,
        "output_text": None,
        "input_claimed": None,
        "output_claimed": None,
        "context_chars": 10,
        "tokens_out": 10,
        "duration_ms": 10,
        "retries": None,
        **changes,
    }
    return check_span(profile, **values)


@pytest.mark.parametrize(
    ("text", "fits"),
    [('{"answer": "yes"}', True), ('{"answer": 7}', False), ("plain text", False), ("[" * 50_000, False)],
)
def test_the_output_is_checked_against_the_schema(text, fits):
    outcome = check(IngestProfile(output_schema=SCHEMA), output_text=text, output_claimed=not fits)
    assert (outcome.output_ok, outcome.source) == (fits, "checked")
    assert ("output-schema" in outcome.flags) is not fits


def test_a_claim_stands_where_there_is_nothing_to_check():
    outcome = check(IngestProfile(), output_text='{"answer": 1}', output_claimed=False)
    assert (outcome.output_ok, outcome.source) == (False, "claimed")


def test_a_checked_input_does_not_lend_its_word_to_a_claimed_output():
    outcome = check(IngestProfile(input_schema=SCHEMA), input_text='{"answer": "x"}', output_claimed=True)
    assert (outcome.input_ok, outcome.output_ok, outcome.source) == (True, True, "claimed")


def test_silence_is_unknown():
    outcome = check(IngestProfile(output_schema=SCHEMA))
    assert (outcome.input_ok, outcome.output_ok, outcome.source, outcome.flags) == (None, None, "", ())


@pytest.mark.parametrize(
    ("limit", "over", "flag"),
    [
        ({"max_context_chars": 100}, {"context_chars": 101}, "context-too-long"),
        ({"max_output_tokens": 100}, {"tokens_out": 101}, "output-too-long"),
        ({"timeout_ms": 100}, {"duration_ms": 101}, "too-slow"),
        ({"retry_limit": 1}, {"retries": 2}, "too-many-retries"),
    ],
)
def test_limits(limit, over, flag):
    profile = IngestProfile(**limit)
    at_limit = {key: value - 1 for key, value in over.items()}
    assert check(profile, **over).flags == (flag,)
    assert check(profile, **at_limit).flags == ()


def test_limits_of_calls_do_not_bind_the_request_around_them():
    assert check(IngestProfile(timeout_ms=1), kind="request", duration_ms=100).flags == ()


@pytest.mark.parametrize(
    "profile",
    [
        IngestProfile(output_schema={"type": "nonsense"}),
        IngestProfile(output_schema={"$ref": "https://example.com/schema.json"}),
        IngestProfile(output_schema={"properties": {"a": {"allOf": [{"$ref": "file:///etc/passwd"}]}}}),
        IngestProfile(retry_limit=-1),
        IngestProfile(prices={"m": {"input": "free"}}),
        IngestProfile(payload_mode="all"),
        IngestProfile(pii_policy="ignore"),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused(profile):
    with pytest.raises(ProfileError):
        profile.check()


def test_a_profile_comes_back_as_it_was():
    profile = IngestProfile(output_schema=SCHEMA, prices={"m": {"input": "0.1", "output": "0.2"}}, retry_limit=2)
    profile.check()
    assert IngestProfile.from_body(json.loads(json.dumps(profile.body()))) == profile


def test_a_component_has_limits_of_its_own_before_the_general_ones():
    profile = IngestProfile(
        timeout_ms=50, retry_limit=1, components={"retrieval": {"timeout_ms": 10, "retry_limit": 3}}
    )
    assert check(profile, kind="retrieval", component="retrieval", duration_ms=11).flags == ("too-slow",)
    assert check(profile, kind="retrieval", component="other", duration_ms=11).flags == ()
    assert check(profile, kind="retrieval", component="retrieval", duration_ms=1, retries=2).flags == ()
    assert check(profile, kind="retrieval", component="other", duration_ms=1, retries=2).flags == ("too-many-retries",)


@pytest.mark.parametrize(
    ("forms", "text", "canonical"),
    [
        (["rfc8785"], '{"a":1,"b":2}', True),
        (["rfc8785"], '{"b":2,"a":1}', False),
        (["rfc8785"], '{"a": 1}', False),
        (["rfc8785"], "no JSON", False),
        (["trimmed-text"], "Two days.", True),
        (["trimmed-text"], "Two days. ", False),
        (["rfc8785", "trimmed-text"], "Two days.", True),
        (["none", "rfc8785"], " anything", True),
        ([], " anything", True),
    ],
)
def test_the_output_has_one_of_the_forms_that_the_contracts_name(forms, text, canonical):
    flags = check(IngestProfile(canonical_outputs=forms), output_text=text).flags
    assert flags == (() if canonical else ("output-not-canonical",))


def test_an_error_code_that_users_were_not_promised_is_flagged():
    profile = IngestProfile(error_codes=["E-BUSY"])
    assert check(profile, kind="request", error_type="E-BUSY").flags == ()
    assert check(profile, kind="request", error_type="KeyError").flags == ("unknown-error-code",)
    assert check(profile, kind="model", error_type="KeyError").flags == (), "users do not see it"
    assert check(IngestProfile(), kind="request", error_type="KeyError").flags == ()
