"""Evidence is read in the product, and nothing in it ever runs there. Bad uploads leave nothing behind."""

import base64
import io
import struct

import pypdfium2
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from demo import walk
from releases import pdf
from releases.models import Evidence
from releases.presenting.viewer import readable
from tests.factories import sign_in
from tests.releases.conftest import staged

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

shared_stage = staged


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
        ("a.pdf", b"%PDF-1.7", "cannot be drawn"),
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


class Unread:
    """A body of which nobody may read a byte."""

    def read(self, *_: int) -> bytes:
        raise AssertionError("The body was read.")

    readline = __iter__ = read


@pytest.mark.parametrize("headers", [{}, {"HTTP_HX_REQUEST": "true"}, {"HTTP_ACCEPT": "application/json"}])
def test_five_gigabytes_are_refused_before_a_byte_is_read(upload, headers):
    client, url, _ = upload("a.txt", b"x")
    kept = Evidence.objects.count()
    five = {"CONTENT_LENGTH": str(5 * 2**30), "wsgi.input": Unread()}
    answer = client.generic("POST", f"{url}act/attach/", b"x", "multipart/form-data; boundary=x", **five, **headers)
    assert answer.status_code == 413
    assert "limited to 65 MiB" in answer.content.decode()
    assert Evidence.objects.count() == kept


def test_more_than_anybody_reads_is_cut_and_said_so():
    shown = readable("text/plain", "a", b"x" * 300_000)
    assert len(shown.text) == 200_000
    assert "of 300,000 characters" in shown.note
    rows = readable("text/csv", "a", b"a,b\n" + b"1,2\n" * 1000)
    assert len(rows.rows) == 500
    assert "of 1,000 rows" in rows.note
    assert readable("text/plain", "a", b"\xff\xfe").kind == "none"


def pdf_of(pages: int) -> bytes:
    document, made = pypdfium2.PdfDocument.new(), io.BytesIO()
    for _ in range(pages):
        document.new_page(300, 400)
    document.save(made)
    return made.getvalue()


def test_pages_of_a_pdf_are_pictures_and_nothing_of_it_runs(upload, stage):
    client, url, _ = upload("report.pdf", pdf_of(22))
    found = Evidence.objects.get()
    page = client.get(f"{url}evidence/{found.pk}/read/").content.decode()
    assert page.count('class="card sheet"') == pdf.MOST_PAGES
    assert "The first 20 of 22 pages" in page
    drawn = client.get(f"{url}evidence/{found.pk}/pages/1/")
    assert (drawn["Content-Type"], drawn["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert drawn["Content-Security-Policy"] == "sandbox; default-src 'none'"
    width, height = struct.unpack(">II", drawn.content[16:24])
    assert (width, height) == (1200, 1600)
    for nowhere in (0, 21, 10**9):
        assert client.get(f"{url}evidence/{found.pk}/pages/{nowhere}/").status_code == 404
    # The file itself is a download only, whatever is asked.
    raw = client.get(f"{url}evidence/{found.pk}/?view")
    assert raw["Content-Type"] == "application/octet-stream"
    assert raw["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize("content", [b"%PDF-1.4 and then nothing", b"MZ" * 500, b"%PDF-1.7\n%%EOF"])
def test_a_pdf_that_is_none_is_said_to_be_none(upload, content):
    client, url, _ = upload("report.pdf", content)
    found = Evidence.objects.get()
    assert "cannot be drawn" in client.get(f"{url}evidence/{found.pk}/read/").content.decode()
    assert client.get(f"{url}evidence/{found.pk}/pages/1/").status_code == 404


def test_what_draws_a_pdf_has_neither_our_environment_nor_files(tmp_path, monkeypatch):
    """The child is asked what it sees, in place of drawing."""
    spy = tmp_path / "child.py"
    spy.write_text(
        "import sys, os, resource; sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))\n"
        f"sys.path.insert(0, {str(pdf.CHILD.parent)!r}); import child; child.bound()\n"
        "import json; seen = 'SECRET_KEY' in os.environ\n"
        f"try: print('x', file=open({str(tmp_path / 'probe')!r}, 'w'), flush=True); wrote = True\n"
        "except OSError: wrote = False\n"
        "print(json.dumps({'pages': int(seen), 'texts': [str(wrote), str(resource.getrlimit(resource.RLIMIT_AS)[0])]}))"
    )
    monkeypatch.setenv("SECRET_KEY", "canary")
    monkeypatch.setattr(pdf, "CHILD", spy)
    assert pdf.look(b"") == pdf.Outline(0, ("False", str(1024 * 2**20)))
