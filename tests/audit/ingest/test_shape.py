"""What the names of a span alone decide: denied, content, cleaned."""

from collections import Counter

from audit.contract import IngestProfile
from audit.ingest import shape
from audit.ingest.names import LONG
from audit.ingest.shape import MAX_LABEL, shape_of


def test_denied_names_go_whatever_their_case_and_are_counted_by_pattern():
    profile, unsafe = IngestProfile(denied_fields=["customer.*", "user.email"]), Counter()
    sent = {
        "Customer.Name": "Zoe", "customer.address.city": "Ulm", "user.email": "z", "user.emails": "kept",
        "http.request.header.cookie": ["a"], "kept": 1,
    }  # fmt: skip
    denying = shape_of(sent, profile=profile)
    assert denying.without_denied(sent, unsafe) == {"user.emails": "kept", "kept": 1}
    assert unsafe == {"field customer.*": 2, "field user.email": 1, "field http.request.header.cookie": 1}
    assert denying.plain == ("user.emails", "kept")
    assert shape_of(["a"], profile=profile).without_denied({"a": 1}, unsafe) == {"a": 1}


def test_a_denied_name_of_one_system_is_none_of_another():
    names = ("customer.name", "note")
    assert shape_of(names, profile=IngestProfile(denied_fields=["customer.*"])).plain == ("note",)
    assert shape_of(names, profile=IngestProfile()).plain == names


def test_prompt_and_answer_stand_apart_and_what_is_denied_is_neither():
    names = ("gen_ai.input.messages", "gen_ai.output.messages", "note", "llm.prompts.0")
    found = shape_of(names, profile=IngestProfile(denied_fields=["llm.*"]))
    assert (found.input, found.output, found.plain) == (names[:1], names[1:2], names[2:3])
    assert found.places.output == names[1:2]


def test_names_are_kept_without_personal_data_and_only_then_cut():
    names = ("zoe@example.com", "k" * MAX_LABEL + "zoe@example.com", "call +1 202 555 0142")
    found = shape_of(names, profile=IngestProfile())
    assert found.labels == ("[email]", "[email]", "call [phone]")
    assert Counter(found.found) == {"email": 2, "phone": 1}


def test_no_sender_decides_what_memory_holds():
    long = [f"{number:0{LONG}}" for number in range(3)]
    before = shape._shape_of.cache_info().currsize
    assert shape_of(long, profile=IngestProfile()).plain == tuple(long)
    assert shape_of(["short"], profile=IngestProfile(), resource=long).plain == ("short",)
    assert shape._shape_of.cache_info().currsize == before
