"""Evidence is read in the product, and nothing in it ever runs there. Bad uploads leave nothing behind."""

import base64

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from demo import walk
from releases.models import Evidence
from releases.presenting.viewer import readable
from tests.factories import sign_in

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
def upload(stage):
    item = next(one for one in walk.by_people(stage.release) if "file" in one.evidence)
    client = sign_in(stage.people.engineer)
    url = f"/systems/{stage.system.slug}/releases/{stage.release.label}/items/{item.key}/"

    def send(name: str, content: bytes, **more):
        revision = stage.release.items.get(key=item.key).revision
        data = {"file": SimpleUploadedFile(name, content), "revision": revision, **more}
        return client, url, client.post(f"{url}act/attach/", data)

    return send


@pytest.mark.parametrize(
    ("name", "content", "seen"),
    [
        ("a.txt", b"<script>alert(1)</script>", "&lt;script&gt;alert(1)"),
        ("a.json", b'{"b":1,"a":[2]}', "  &quot;b&quot;: 1,"),
        ("a.json", b"{no", "called JSON and is none"),
        ("a.csv", b"name,score\n<b>x</b>,1\n", "<td>&lt;b&gt;x&lt;/b&gt;</td><td>1</td>"),
        ("a.html", b"<script>alert(1)</script>", "&lt;script&gt;alert(1)"),
        ("a.svg", b"<svg onload='alert(1)'/>", "not opened here"),
        ("a.pdf", b"%PDF-1.7", "not opened here"),
        ("a.png", PIXEL, '<img class="shown"'),
    ],
)
def test_each_kind_is_shown_and_none_runs(upload, name, content, seen):
    client, url, answer = upload(name, content)
    assert answer.status_code == 302, answer.content
    evidence = Evidence.objects.get()
    page = client.get(f"{url}evidence/{evidence.pk}/read/").content.decode()
    assert seen in page
    assert "<script>alert" not in page
    assert "onload=" not in page
    raw = client.get(f"{url}evidence/{evidence.pk}/")
    assert raw.content == content
    assert raw["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert raw["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "C:\\x\\evil.txt", "a\u202etxt.exe", "x" * 240 + ".txt", "\x07bell.txt"]
)
def test_hostile_names_become_plain_titles(upload, name):
    _, _, answer = upload(name, b"x")
    assert answer.status_code in (302, 422)
    for title in Evidence.objects.values_list("title", flat=True):
        assert "/" not in title
        assert "\u202e" not in title
        assert title.isprintable()
        assert len(title) <= 200


def test_an_empty_file_and_one_too_large_leave_nothing(upload, settings):
    assert upload("a.txt", b"")[2].status_code == 422
    settings.EVIDENCE_MAX_BYTES = 1024 * 1024
    answer = upload("big.bin", b"x" * (1024 * 1024 + 1))[2]
    assert answer.status_code == 413
    assert "limited to 1 MiB" in answer.content.decode()
    assert not Evidence.objects.exists()


def test_more_than_anybody_reads_is_cut_and_said_so():
    shown = readable("text/plain", "a", b"x" * 300_000)
    assert len(shown.text) == 200_000
    assert "of 300,000 characters" in shown.note
    rows = readable("text/csv", "a", b"a,b\n" + b"1,2\n" * 1000)
    assert len(rows.rows) == 500
    assert "of 1,000 rows" in rows.note
    assert readable("text/plain", "a", b"\xff\xfe").kind == "none"
