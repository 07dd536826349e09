from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from metrics.actions.sources import create_source
from metrics.models import Source
from tests.factories import make_people, make_system
from tests.metrics.scene import Scene


@pytest.fixture
def scene(db: None) -> Scene:
    people = make_people()
    return Scene(make_system("support-bot", people=people), people)


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    """The one folder in which evaluation files may be read."""
    root = tmp_path / "evaluations"
    root.mkdir()
    settings.EVALUATION_ROOTS = [str(root)]
    return root


@pytest.fixture
def make_source(scene: Scene) -> Callable[..., Source]:
    def make(kind: str = "inspect_ai", **config: Any) -> Source:
        name = f"source {Source.objects.count() + 1}"
        given = config or {"location": "{release}.eval"}
        return create_source(
            system=scene.system, kind=kind, name=name, config=given, by=scene.people.engineer, now=scene.now
        )

    return make
