"""Both forms of OTLP say the same; whatever is not OTLP is told so."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from audit.ingest.otlp import decode_json, decode_protobuf
from audit.ingest.wire import TooMuch, Unreadable
from tests.audit.sending import request_json, span

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
SCALARS = st.one_of(
    TEXT, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def any_json(value, quoted):
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value) if quoted else value}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [any_json(item, quoted) for item in value]}}
        case dict():
            return {"kvlistValue": {"values": [{"key": k, "value": any_json(v, quoted)} for k, v in value.items()]}}
    return {"stringValue": value}


def any_protobuf(target, value):
    match value:
        case bool():
            target.bool_value = value
        case int():
            target.int_value = value
        case float():
            target.double_value = value
        case list():
            target.array_value.SetInParent()
            for item in value:
                any_protobuf(target.array_value.values.add(), item)
        case dict():
            target.kvlist_value.SetInParent()
            for key, item in value.items():
                pair = target.kvlist_value.values.add(key=key)
                any_protobuf(pair.value, item)
        case _:
            target.string_value = value


@given(
    attributes=st.dictionaries(TEXT, VALUES, max_size=5),
    name=TEXT,
    ids=st.tuples(st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8)),
    start=st.integers(1, 2**62),
    quoted=st.booleans(),
)
def test_protobuf_and_json_mean_the_same_span(attributes, name, ids, start, quoted):
    request = ExportTraceServiceRequest()
    sent = (
        request.resource_spans.add()
        .scope_spans.add()
        .spans.add(
            trace_id=ids[0], span_id=ids[1], name=name, start_time_unix_nano=start, end_time_unix_nano=start + 5, kind=2
        )
    )
    for key, value in attributes.items():
        any_protobuf(sent.attributes.add(key=key).value, value)
    body = {
        "traceId": ids[0].hex(),
        "spanId": ids[1].hex(),
        "name": name,
        "kind": 2,
        "startTimeUnixNano": str(start) if quoted else start,
        "endTimeUnixNano": start + 5,
        "attributes": [{"key": key, "value": any_json(value, quoted)} for key, value in attributes.items()],
    }
    as_json = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [body]}]}]}).encode()
    assert list(decode_json(as_json)) == list(decode_protobuf(request.SerializeToString()))


@pytest.mark.parametrize("decode", [decode_json, decode_protobuf])
@given(data=st.binary(max_size=200))
def test_garbage_is_unreadable_and_nothing_worse(decode, data):
    with contextlib.suppress(Unreadable, TooMuch):
        list(decode(data))


@given(cut=st.integers(1, 400))
def test_a_truncated_request_is_unreadable(cut):
    request = ExportTraceServiceRequest()
    for number in range(3):
        request.resource_spans.add().scope_spans.add().spans.add(name=f"span {number}" * 20, span_id=bytes(8))
    data = request.SerializeToString()
    short = data[: max(1, len(data) - cut)]
    with contextlib.suppress(Unreadable):
        assert len(list(decode_protobuf(short))) < 3


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'{"resourceSpans": 7}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "\\ud800"}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": 1.5}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "soon"}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "\xff"}]}]}]}',
    ],
)
def test_json_of_another_shape_is_unreadable(body):
    with pytest.raises(Unreadable):
        list(decode_json(body))


@pytest.mark.parametrize("depth", [100, 5_000])
def test_nesting_is_bounded(depth):
    value = '{"arrayValue": {"values": [' * depth + '{"intValue": 1}' + "]}}" * depth
    head, tail = '{"resourceSpans": [{"scopeSpans": [{"spans": [{"attributes": [{"key": "a", "value": ', "}]}]}]}]}"
    body = head + value + tail
    with pytest.raises((TooMuch, Unreadable)):
        list(decode_json(body.encode()))


def test_ids_in_base64_and_enumerations_by_name_are_read():
    sent = span()
    sent |= {"traceId": "AAAAAAAAAAAAAAAAAAAABQ==", "spanId": "AAAAAAAAAAY=", "kind": "SPAN_KIND_CLIENT"}
    sent["status"] = {"code": "STATUS_CODE_ERROR", "message": "no"}
    (read,) = decode_json(request_json(sent))
    assert (int.from_bytes(read.trace_id), int.from_bytes(read.span_id), read.kind, read.status) == (5, 6, 3, 2)


def test_not_a_number_and_absent_values_are_kept_as_such():
    sent = span()
    sent["attributes"] = [
        {"key": "nan", "value": {"doubleValue": "NaN"}},
        {"key": "none", "value": {}},
        {"key": "null", "value": None},
        {"key": "bytes", "value": {"bytesValue": "AAE="}},
    ]
    (read,) = decode_json(request_json(sent))
    assert read.attributes == {"nan": "NaN", "none": None, "null": None, "bytes": "AAE="}
