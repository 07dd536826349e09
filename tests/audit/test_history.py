"""Requests of before, taken in from files; what is not taken; and that doing it twice does it once."""

import gzip
import json
from datetime import UTC, timedelta

import pytest
from django.utils import timezone

from audit import history, retention, spanlog, trail
from audit.actors import SYSTEM
from audit.models import Entry, Request, Span
from tests.audit.sending import chat_trace, request_json
from tests.audit.trailing import new_system, settle
from web.problems import Invalid

pytestmark = pytest.mark.django_db


def read(path, system, **options):
    return history.import_file(path, system=system, environment="production", by=SYSTEM, now=timezone.now(), **options)


def native(number, at):
    return json.dumps(
        {
            "trace_id": f"{number:032x}",
            "span_id": f"{number:016x}",
            "name": "POST /ask",
            "start": at.astimezone(UTC).isoformat(),
            "duration_ms": 300,
            "attributes": {"readiness.request_id": f"old-{number}", "note": 'says "resourceSpans"'},
        }
    )


@pytest.fixture
def ago():
    return timezone.now() - timedelta(days=90)


def test_what_the_collector_wrote_to_a_file_is_found_sealed_and_summed_up(tmp_path, ago):
    system, told = new_system("before"), []
    traces = [chat_trace(start=ago + timedelta(minutes=n), request_id=f"then-{system}-{n}") for n in range(3)]
    path = tmp_path / "traces.json"
    path.write_bytes(b"".join(request_json(*trace) + b"\n" for trace in traces))
    done = read(path, system, report=lambda at, whole: told.append((at, whole)))
    assert (done.stored, done.repeated, done.refused) == (sum(map(len, traces)), 0, {})
    assert told[-1][0] == told[-1][1] == path.stat().st_size
    settle()
    spanlog.sign_head(now=timezone.now())
    (view,) = trail.find(f"then-{system}-1")
    assert view.started_at == ago + timedelta(minutes=1)
    assert trail.check(view)[0] is True
    assert Request.objects.filter(system=system).count() == 3
    again = read(path, system)
    assert (again.stored, again.repeated) == (0, done.stored)
    first, second = Entry.objects.filter(kind="trail.imported", system=system).order_by("index")
    assert first.pk < second.pk


def test_our_own_plain_form_packed(tmp_path, ago):
    system, path = new_system("plain"), tmp_path / "spans.jsonl.gz"
    lines = [native(number, ago) for number in range(1, history.AT_ONCE + 3)]
    path.write_bytes(gzip.compress("\n".join([*lines, "", ""]).encode()))
    assert read(path, system).stored == history.AT_ONCE + 2
    assert Span.objects.filter(system=system, request_id="old-7").exists()


def test_what_retention_would_remove_at_once_is_not_taken(tmp_path, ago):
    system, path = new_system("short"), tmp_path / "spans.jsonl"
    retention.set_retention(system=system, days=60, payload_days=7, by=SYSTEM, now=timezone.now())
    fresh = timezone.now() - timedelta(days=59)
    path.write_text(f"{native(1, ago)}\n{native(2, fresh)}\n{native(3, timezone.now() + timedelta(hours=1))}\n")
    done = read(path, system)
    assert done.stored == 1
    assert done.refused == {
        "it started more than 1440 hours ago": 1,
        "it starts more than 5 minutes in the future": 1,
    }


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"trace_id": 7}\n', "Line 2: The body is not a list of spans"),
        (b'{"resourceSpans": 7}\n', "Line 2: The body is not an OTLP trace request"),
        (b"\xff\xfe\n", "Line 2: "),
        (b"[" * 100_000 + b"\n", "Line 2: "),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_what_stood_before_stays(tmp_path, ago, monkeypatch, content, sentence):
    monkeypatch.setattr(history, "AT_ONCE", 1)
    system, path = new_system("bad"), tmp_path / "spans.jsonl"
    path.write_bytes(native(1, ago).encode() + b"\n" + content)
    with pytest.raises(Invalid, match=sentence):
        read(path, system)
    assert Span.objects.filter(system=system).count() == 1


def test_a_broken_archive_and_an_endless_line_are_refused(tmp_path, ago, monkeypatch):
    packed = tmp_path / "spans.jsonl.gz"
    whole = gzip.compress(native(1, ago).encode())
    for name, torn in (("torn", whole[:-9]), ("spoiled", whole[:10] + b"\xff" * 20 + whole[30:])):
        packed.write_bytes(torn)
        with pytest.raises(Invalid, match="cannot be unpacked"):
            read(packed, new_system(name))
    monkeypatch.setattr(history, "MAX_LINE", 100)
    long = tmp_path / "long.jsonl"
    long.write_text(native(1, ago))
    with pytest.raises(Invalid, match="more than 100 bytes"):
        read(long, new_system("long"))
