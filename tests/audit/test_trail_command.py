"""`manage.py trail`, part by part; keeping, holding and removing are in test_retention."""

import csv
import io
import json
from datetime import date, timedelta
from hashlib import sha256
from io import StringIO

import duckdb
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit import parquet, partitions, retention, spanlog
from audit.actors import SYSTEM
from audit.management.progress import Progress
from audit.models import Entry, PayloadKey, Request, Span
from audit.tasks import remove_due
from jobs.models import Job
from jobs.queue import enqueue
from jobs.schedule import beats
from tests.audit.sending import chat_trace, request_json
from tests.audit.trailing import new_system, send, settle

pytestmark = pytest.mark.django_db


def say(*words):
    out, err = StringIO(), StringIO()
    call_command("trail", *map(str, words), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@pytest.fixture
def system():
    """Two requests of the day before yesterday, summed up."""
    slug, then = new_system("told"), timezone.now() - timedelta(days=2) + timedelta(hours=1)
    for number in range(2):
        trace = chat_trace(start=then, request_id=f"{slug}-{number}", gen_ai__input__messages="=Where is it?")
        send(*trace, system=slug, now=then + timedelta(minutes=1))
    settle()
    return slug


def test_history_is_taken_in_sealed_summed_up_and_shown(tmp_path):
    slug = new_system("taken")
    path = tmp_path / "traces.jsonl"
    path.write_bytes(request_json(*chat_trace(start=timezone.now() - timedelta(days=80), request_id=f"t-{slug}")))
    out, shown = say("import", path, "--system", slug)
    assert "spans stored, 0 were there." in out
    assert "traces.jsonl: " in shown and "100%" in shown
    assert "wait for their place" in say("status")[0]
    out, _ = say("seal")
    assert "signed up to" in out
    assert say("seal")[0] == "0 spans numbered; no new head.\n"
    Span.objects.filter(system=slug).get(parent_id="")
    settle()
    assert Request.objects.filter(request_id=f"t-{slug}").exists()
    assert say("derive")[0].endswith("requests written.\n")


def test_days_are_made(system):
    far = date(2016, 5, 1)
    assert "3 days made, 0 were there" in say("days", "--since", far, "--until", far + timedelta(days=2))[0]
    assert "0 days made, 3 were there" in say("days", "--since", far, "--until", far + timedelta(days=2))[0]
    with pytest.raises(CommandError, match="before the first"):
        say("days", "--since", far, "--until", far - timedelta(days=1))


def test_a_search_is_written_and_recorded(system, tmp_path):
    target = tmp_path / "requests.csv"
    say("export", target, "--format", "csv", "--query", f"system:{system}")
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert sorted(row["request_id"] for row in rows) == [f"{system}-0", f"{system}-1"]
    said = Entry.objects.filter(kind="trail.exported").order_by("-index")[0]
    assert said.actor_id == "product"
    with pytest.raises(CommandError, match="No such file"):
        say("export", tmp_path / "nowhere" / "x.csv", "--format", "csv")


def test_sealed_days_become_parquet_that_others_read(system, tmp_path):
    day = Request.objects.filter(system=system)[0].started_at.date()
    with pytest.raises(CommandError, match="manage.py trail seal"):
        say("parquet", tmp_path, "--since", day, "--until", day)
    say("seal")
    out, shown = say("parquet", tmp_path, "--since", day, "--until", day)
    assert out.endswith(f"1 files in {tmp_path}.\n")
    assert "100%" in shown
    (about,) = json.loads((tmp_path / parquet.MANIFEST).read_text())["days"]
    file = tmp_path / about["file"]
    assert about["sha256"] == sha256(file.read_bytes()).hexdigest()
    stored = Span.objects.filter(started_at__date=day)
    found = duckdb.sql(f"SELECT span_id, leaf_hash, attributes, log_index, started_at, flags FROM '{file}'").fetchall()
    assert {(span, bytes(leaf)) for span, leaf, *_ in found} == {
        (span.span_id, bytes(span.leaf_hash)) for span in stored
    }
    assert about["spans"] == len(found) == stored.count()
    assert all(json.loads(attributes) is not None for _, _, attributes, *_ in found)
    log = b"".join(bytes(b.leaves) for b in spanlog.SpanBatch.objects.filter(system=system).order_by("first_index"))
    first = spanlog.SpanBatch.objects.filter(system=system).order_by("first_index")[0].first_index
    ours = [(leaf, at) for _, leaf, _, at, *_ in found if first <= at < first + len(log) // 32]
    assert ours and all(log[(at - first) * 32 : (at - first + 1) * 32] == bytes(leaf) for leaf, at in ours)
    entry = Entry.objects.filter(kind="trail.day-exported").order_by("-index")[0]
    assert entry.subject == "trail:spans"
    say("parquet", tmp_path, "--since", day, "--until", day)  # once more: the manifest names it once
    assert len(json.loads((tmp_path / parquet.MANIFEST).read_text())["days"]) == 1


def test_a_day_that_is_not_over_is_not_exported(tmp_path):
    today = timezone.now().date()
    with pytest.raises(parquet.NotExported, match="not over"):
        parquet.export_day(today, tmp_path, by=None, now=timezone.now())
    assert today not in parquet.days_there()
    old = date(2016, 6, 1)
    partitions.make([old])
    say("seal")
    assert "2016-06-01: 0 spans" in say("parquet", tmp_path, "--since", old, "--until", old)[0]
    assert not list(tmp_path.iterdir())


def test_what_is_due_leaves_by_the_beat(system):
    assert "audit.retention" in {beat.task for beat in beats(timezone.now())}
    old = timezone.now() - timedelta(days=40)
    slug = new_system("due")
    send(*chat_trace(start=old, gen_ai__input__messages="x"), system=slug, now=old)
    retention.set_retention(system=slug, days=60, payload_days=30, by=SYSTEM, now=timezone.now())
    held = retention.hold(system=slug, since=old.date(), until=old.date(), reason="x", by=SYSTEM, now=timezone.now())

    def run():
        job = enqueue("audit.retention", key=f"test:{timezone.now()}", now=timezone.now())
        remove_due.apply(args=[str(job.pk)])
        return Job.objects.get(pk=job.pk)

    assert run().state == Job.State.DONE
    assert PayloadKey.objects.filter(system=slug).exists(), "a legal hold wins"
    retention.lift(hold_id=held.pk, by=SYSTEM, now=timezone.now())
    assert "1 days of prompts" in run().message
    assert not PayloadKey.objects.filter(system=slug).exists()


def test_progress_is_a_bar_on_a_terminal_and_few_lines_in_a_log():
    class Terminal(StringIO):
        def isatty(self):
            return True

    terminal, log = Terminal(), StringIO()
    for out in (terminal, log):
        show = Progress(out, "seen", unit="spans")
        for done in range(5001):
            show(done, 5000)
    assert "\r[############............] seen: 2,500 of 5,000 spans, 50%" in terminal.getvalue()
    assert terminal.getvalue().endswith("\n")
    assert log.getvalue().splitlines()[-1] == "seen: 5,000 of 5,000 spans, 100%"
    assert len(log.getvalue().splitlines()) == 11
    Progress(log, "nothing")(0, 0)
