"""Releases at the stages that tests start from, each reached by the product's own actions."""

import copy
import shutil
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from metrics.models import Source
from releases.actions import opening
from releases.models import Release
from systems.models import System
from tests.factories import NOW, People, make_version, make_whole_system
from tests.releases.ready import SAMPLES, make_ready


@dataclass
class Stage:
    """A release, the people around it, and the clock that its acts happen by."""

    release: Release
    people: People
    system: System
    source: Source

    def again(self) -> Release:
        return Release.objects.select_related("system", "standard", "policy").get(pk=self.release.pk)


@pytest.fixture
def whole(db):
    return make_whole_system()


def make_sampled(whole, *, now=NOW) -> None:
    """Prompt and golden set of the evaluation files that real tools made, as the newest approved versions."""
    contents = {"prompt": SAMPLES / "prompt-2026.11.2.txt", "dataset": SAMPLES / "golden-set.jsonl"}
    reviewers = {"prompt": whole.people.engineer2, "dataset": whole.people.product}
    for kind, path in contents.items():
        component = whole.versions[kind].component
        make_version(component, path.read_bytes(), by=whole.people.engineer, reviewer=reviewers[kind], now=now)


@pytest.fixture(scope="module")
def module_stage(request, django_db_setup, django_db_blocker, _data_folder, tmp_path_factory):
    """One stage for all tests of a module that says how it is made (`shared_stage`): each in a savepoint above it.

    Only for modules whose tests all start from it: what else they find in the database would be there as well.
    """
    build = getattr(request.module, "shared_stage", None)
    if build is None:
        yield None
        return
    folder = shutil.copytree(_data_folder, tmp_path_factory.mktemp("module") / "data")
    quick = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with (
        django_db_blocker.unblock(),
        override_settings(DATA_DIR=folder, PASSWORD_HASHERS=quick),
        transaction.atomic(),
    ):
        yield build(), folder
        transaction.set_rollback(True)


@pytest.fixture
def stage(module_stage, db, request, settings, tmp_path) -> Stage:
    if module_stage is None:
        return make_stage(request.getfixturevalue("whole"))
    shared, folder = module_stage
    settings.DATA_DIR = shutil.copytree(folder, tmp_path / "data")
    return copy.deepcopy(shared)


def staged() -> Stage:
    return make_stage(make_whole_system())


def made_ready() -> Stage:
    return make_ready(staged())


def make_stage(whole) -> Stage:
    """In pre-production, everything pinned and planned, nothing verified, nothing signed."""
    people = whole.people
    make_sampled(whole)
    source = Source.objects.create(
        system=whole.system, kind=Source.Kind.TRAIL, name="Request trail", created_by=people.operator, created_at=NOW
    )
    return in_review(Stage(None, people, whole.system, source), "2026.11.2")


def in_review(stage: Stage, label: str) -> Stage:
    """Another release of the same system, at the same point."""
    system, people, source = stage.system, stage.people, stage.source
    release = opening.open_release(system=system, label=label, by=people.product, now=NOW)
    opening.pin_newest(release_id=release.pk, by=people.product, now=NOW)
    opening.plan_rollout(
        release_id=release.pk,
        strategy="canary",
        share=Decimal("0.10"),
        hours=24,
        error_rate_max=Decimal("0.015"),
        p95_ms_max=2000,
        source=source,
        by=people.product,
        now=NOW,
    )
    release = opening.begin_review(release_id=release.pk, by=people.product, now=NOW + timedelta(minutes=1))
    return Stage(release, people, system, source)


@pytest.fixture
def now_stage(whole, monkeypatch):
    """The stage of the other tests, some hours ago by the browser's clock: statements are shown and signed now."""
    now = timezone.now().replace(microsecond=0) - timedelta(hours=3)
    for module in ("tests.releases.conftest", "tests.releases.ready"):
        monkeypatch.setattr(f"{module}.NOW", now)
    return make_ready(make_stage(whole))
