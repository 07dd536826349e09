import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit import secrets
from audit.ledger import entries
from metrics.actions.sources import change_source, create_source, retire_source
from metrics.connecting import secret_of, try_connection
from metrics.models import Source
from metrics.problems import EgressRefused, Invalid, MetricsError
from metrics.targets import set_target
from tests.metrics.samples import BETTER, DATASET_HASH, INSPECT
from tests.metrics.scene import Scene

pytestmark = pytest.mark.django_db


def create(scene: Scene, **changes: Any) -> Source:
    given: dict[str, Any] = {
        "kind": "inspect_ai",
        "name": "CI logs",
        "config": {"location": "{release}.eval"},
    } | changes
    return create_source(system=scene.system, by=given.pop("by", scene.people.engineer), now=scene.now, **given)


def test_a_source_is_recorded_and_its_secret_stays_encrypted(scene: Scene) -> None:
    source = create(scene, secret="s3cret-token", schedule_seconds=300)
    assert "s3cret" not in source.secret
    assert secrets.decrypt(source.secret) == secret_of(source) == "s3cret-token"
    (entry,) = entries(subject=f"source:{source.pk}")
    assert entry.kind == "source.created"


def test_changing_keeps_or_removes_the_secret(scene: Scene) -> None:
    source = create(scene, secret="one")
    asked = {"source": source, "name": "Logs", "config": {"location": "x.json"}, "by": scene.people.operator}
    change_source(**asked, now=scene.now)
    source.refresh_from_db()
    assert (source.name, source.config, secret_of(source)) == ("Logs", {"location": "x.json"}, "one")
    change_source(**asked, secret="two", now=scene.now)
    assert secret_of(source) == "two"
    change_source(**asked, secret="", now=scene.now)
    assert secret_of(source) == ""
    assert [entry.kind for entry in entries(subject=f"source:{source.pk}")] == ["source.created"] + [
        "source.changed"
    ] * 3


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"kind": "gopher"}, Invalid, "no connector 'gopher'"),
        ({"name": " "}, Invalid, "Give the source a name"),
        ({"config": {}}, Invalid, "one setting: its location"),
        ({"config": {"location": "../x"}}, Invalid, "without .."),
        ({"config": {"location": "http://10.0.0.1/x.json"}}, EgressRefused, "not a public address"),
        ({"kind": "prometheus", "config": {"url": "http://127.0.0.1:9090"}}, EgressRefused, "not a public address"),
        ({"kind": "trail", "config": {"server": "x"}}, Invalid, "no setting server"),
        ({"config": {"location": "x.json", "fresh_days": 0}}, Invalid, "fresh for 1 to 3650 days"),
        ({"config": {"location": "x.json", "fresh_days": "90"}}, Invalid, "fresh for 1 to 3650 days"),
        ({"kind": "trail", "config": {"fresh_days": 9}}, Invalid, "fresh for 1 to 3650 days"),
    ],
)
def test_what_cannot_work_is_refused_before_it_is_stored(scene: Scene, changes: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        create(scene, **changes)
    assert not Source.objects.exists()


def test_two_of_one_name_and_people_without_the_role_are_refused(scene: Scene) -> None:
    source = create(scene)
    with pytest.raises(Invalid, match="a source named CI logs already"):
        create(scene)
    for act in (
        lambda by: create(scene, name="other", by=by),
        lambda by: change_source(source=source, name="x", config={}, by=by, now=scene.now),
        lambda by: retire_source(source=source, by=by, now=scene.now),
    ):
        with pytest.raises(Exception, match="This takes product, engineering or operations"):
            act(scene.people.auditor)


def test_a_retired_source_does_not_change(scene: Scene) -> None:
    source = retire_source(source=create(scene), by=scene.people.operator, now=scene.now)
    with pytest.raises(MetricsError, match="is retired"):
        retire_source(source=source, by=scene.people.operator, now=scene.now)
    with pytest.raises(MetricsError, match="is retired"):
        change_source(source=source, name="x", config={}, by=scene.people.operator, now=scene.now)


def sentences(source: Source, scene: Scene) -> list[tuple[bool, str]]:
    return [(finding.ok, finding.sentence) for finding in try_connection(source, now=scene.now)]


def test_trying_the_connection_says_in_words_what_was_found(
    scene: Scene, folder: Path, make_source: Callable[..., Source]
) -> None:
    source = make_source()
    assert sentences(source, scene) == [
        (True, "The location can be read. No release waits for its evaluation yet."),
    ]
    set_target(source=source, release_label=BETTER, dataset_hash=DATASET_HASH, now=scene.now)
    assert sentences(source, scene) == [
        (False, f"There is no file {BETTER}.eval with the ending .eval or .json. (asked for release {BETTER})"),
    ]
    source.refresh_from_db()
    assert source.state == "failing"
    shutil.copy(INSPECT / f"{BETTER}.eval", folder)
    ((ok, said),) = sentences(source, scene)
    assert ok
    assert said.startswith(f"{BETTER}.eval: Inspect AI 0.3.285, 40 cases, ")
    assert said.endswith(f"about {BETTER}.")
    (folder / f"{BETTER}.eval").write_bytes(b"PK\x03\x04")
    assert sentences(source, scene) == [(False, "The archive is damaged or cut off.")]
    assert sentences(make_source("trail", environments=[]), scene) == [
        (False, "No request of this system came in during the last day."),
    ]
