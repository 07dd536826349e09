"""From a git checkout, over the API, through the form: the same content is the same version, byte by byte."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from systems.errors import InvalidInput
from systems.importing import import_checkout
from systems.kinds import Kind
from systems.models import Version
from systems.registry import content_of, is_intact
from tests.factories import OUTPUT_SCHEMA, make_component, make_system, sign_in

pytestmark = pytest.mark.django_db

PROMPT = b"Answer briefly.\r\nName your sources. \xc3\xa4\n"
MANIFEST = """system: support-bot
components:
  - {kind: prompt, name: system-prompt, path: prompts/system.txt}
  - {kind: output_schema, name: answer, path: schemas/answer.json}
"""


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q")

    def git(self, *arguments: str) -> None:
        who = ["-c", "user.name=T", "-c", "user.email=t@example.test", "-c", "core.autocrlf=false"]
        subprocess.run(["git", *who, "-C", str(self.folder), *arguments], check=True, capture_output=True)

    def commit(self, **files: bytes) -> None:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "Be brief")


@pytest.fixture
def repository(tmp_path, system, people) -> Repository:
    make_component(system, Kind.PROMPT, by=people.engineer)
    make_component(system, Kind.OUTPUT_SCHEMA, by=people.engineer)
    made = Repository(tmp_path)
    schema = json.dumps(OUTPUT_SCHEMA, indent=4).encode()
    made.commit(**{"readiness.yaml": MANIFEST.encode(), "prompts/system.txt": PROMPT, "schemas/answer.json": schema})
    return made


def imported(repository: Repository, people: Any, **more: Any) -> list[Any]:
    values = {"revision": "HEAD", "manifest": "readiness.yaml", "by": people.engineer, "now": timezone.now()} | more
    return import_checkout(repository=repository.folder, **values)


def test_what_was_committed_is_kept_byte_by_byte(repository, people):
    (repository.folder / "prompts/system.txt").write_bytes(b"An edit that nobody committed.\n")
    first, second = imported(repository, people)
    assert content_of(first.version) == PROMPT
    assert first.version.state == Version.State.IN_REVIEW
    assert first.version.note == "Be brief"
    assert first.version.meta["origin"].endswith(":prompts/system.txt")
    assert is_intact(second.version, content_of(second.version))
    assert [one.version for one in imported(repository, people)] == [None, None], "a second run changes nothing"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"readiness.yaml": b"system: support-bot\ncomponents: ["}, "not YAML in line 2"),
        ({"readiness.yaml": b"system: nobody\ncomponents: [{kind: prompt, name: a, path: b}]"}, "not here"),
        (
            {"readiness.yaml": MANIFEST.replace("prompts/system.txt", "../../etc/passwd").encode()},
            "inside the repository",
        ),
        ({"readiness.yaml": MANIFEST.replace("prompts/system.txt", "nowhere.txt").encode()}, "no file of this commit"),
        ({"readiness.yaml": MANIFEST.replace("kind: prompt", "kind: magic").encode()}, "does not exist"),
        ({"readiness.yaml": MANIFEST.replace("system-prompt", "other").encode()}, "Add the component first"),
        ({"schemas/answer.json": b'{\n"type": "objec"\n}'}, "schemas/answer.json: Line 2"),
        ({"schemas/answer.json": b'{"$ref": "#"}'}, "without end|allows everything"),
        ({"schemas/answer.json": b'{"type": "object", "type": "array"}'}, "occurs twice"),
        ({"prompts/system.txt": b""}, "empty"),
    ],
)
def test_what_cannot_be_imported_leaves_nothing_behind(repository, people, files, words):
    repository.commit(**files)
    with pytest.raises(InvalidInput, match=words):
        imported(repository, people)
    assert not Version.objects.exists()


def test_links_are_not_followed_and_revisions_are_no_options(repository, people):
    (repository.folder / "prompts/system.txt").unlink()
    (repository.folder / "prompts/system.txt").symlink_to("/etc/passwd")
    repository.commit()
    with pytest.raises(InvalidInput, match="not a plain file"):
        imported(repository, people)
    for revision in ("--upload-pack=x", "nothing-of-this-name", "HEAD..HEAD", ""):
        with pytest.raises(InvalidInput):
            imported(repository, people, revision=revision)


def test_the_command_says_what_it_did(repository, people, capsys):
    call_command("import_checkout", str(repository.folder), by=people.engineer.email)
    assert "Prompt system-prompt: version 1, sha256:" in capsys.readouterr().out
    with pytest.raises(CommandError, match="Nobody here"):
        call_command("import_checkout", str(repository.folder), by="nobody@example.test")


contents = st.dictionaries(
    st.sampled_from(["region", "replicas", "notes"]),
    st.integers(-1000, 1000) | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20),
    min_size=1,
)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=contents, indent=st.sampled_from([None, 1, 4]), turned=st.booleans(), ascii_=st.booleans())
def test_the_canonical_hash_is_the_same_by_every_route(tmp_path, people, content, indent, turned, ascii_):
    """Spacing, key order and escapes are another way of writing, not another content."""
    ordered = dict(reversed(content.items())) if turned else content
    data = json.dumps(ordered, indent=indent, ensure_ascii=ascii_).encode()
    with transaction.atomic():
        system = make_system(f"s-{timezone.now():%H%M%S%f}", people=people)
        names = ["git", "api", "form", "plain"]
        for name in names:
            make_component(system, Kind.INFRASTRUCTURE, name, by=people.engineer)
        folder = tmp_path / system.slug
        folder.mkdir()
        repository = Repository(folder)
        manifest = f"system: {system.slug}\ncomponents: [{{kind: infrastructure, name: git, path: a.json}}]\n"
        repository.commit(**{"readiness.yaml": manifest.encode(), "a.json": data})
        imported(repository, people)
        client = sign_in(people.engineer)
        there = f"systems/{system.slug}/components/infrastructure"
        sent = {"content": data.decode()}
        client.post(f"/api/{there}/api/versions", sent, content_type="application/json")
        client.post(f"/{there}/form/draft/", {"file": SimpleUploadedFile("a.json", data)})
        plain = {"content": json.dumps(content)}
        client.post(f"/api/{there}/plain/versions", plain, content_type="application/json")
        hashes = dict(Version.objects.filter(component__system=system).values_list("component__name", "sha256"))
        assert set(hashes) == set(names)
        assert len(set(hashes.values())) == 1
        kept = {v.component.name: content_of(v) for v in Version.objects.filter(component__system=system)}
        assert {kept[name] for name in ("git", "api", "form")} == {data}
        transaction.set_rollback(True)
