"""What another pin makes stale: exactly the items that depend on what changed, whatever else was done before."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demo import walk
from releases.actions import opening
from releases.locking import changing
from releases.models import Item, Pin
from releases.standard.published import definition_of
from tests.factories import NOW, PARTS, make_version

KINDS = sorted(PARTS)
CHANGED = {
    "prompt": b"Another prompt.\n",
    "dataset": b'{"id": "9", "input": "?", "tags": ["plain"]}\n',
    "input_schema": b'{"type": "object", "title": "Other", "required": ["question"]}',
    "output_schema": b'{"type": "object", "title": "Other", "required": ["answer"]}',
    "contract": b'{"max_context_chars": 9, "max_output_tokens": 4, "timeout_ms": 10, "retry_limit": 1}',
    "model": b'{"provider": "acme", "deployment": "other-2026-09"}',
    "fallback": b'{"message": "Later."}',
}


@pytest.fixture
def newer(stage, whole):
    """Another approved version of each component, not pinned by the release."""
    people = stage.people
    return {
        kind: make_version(
            whole.versions[kind].component,
            CHANGED[kind],
            by=people.engineer,
            reviewer=people.product if kind == "dataset" else people.engineer2,
        )
        for kind in KINDS
    }


def put_back(stage, pins) -> None:
    with changing(stage.release.pk, by=stage.people.product, now=NOW, why="test") as release:
        for pk, version in pins.items():
            Pin.objects.filter(pk=pk).update(version=version)
        release.items.update(stale_reason="", verified_by=None, verified_at=None, verified_digests=[])


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changed=st.sets(st.sampled_from(KINDS), min_size=1, max_size=3), data=st.data())
def test_staleness_is_exactly_what_depends_on_what_changed(stage, newer, changed, data):
    items = walk.by_people(stage.release)
    pins = dict(Pin.objects.filter(release=stage.release).values_list("pk", "version"))
    done = data.draw(st.sets(st.sampled_from(sorted(item.key for item in items)), max_size=12))
    for item in items:
        if item.key in done:
            if not Item.objects.get(release=stage.release, key=item.key).evidence.exists():
                walk.attach(stage.release, item, by=stage.people.engineer, now=NOW)
            walk.verify(stage.release, item, by=walk.verifier(stage.people, item.owner_role), now=NOW)
    touched = set(
        Item.objects.filter(release=stage.release)
        .exclude(verified_by=None, evidence=None)
        .values_list("key", flat=True)
    )
    for kind in sorted(changed):
        opening.pin(release_id=stage.release.pk, version=newer[kind], by=stage.people.product, now=NOW)
    depends = {item.key for item in definition_of(stage.release.standard).items if changed & set(item.depends_on)}
    rows = {item.key: item for item in Item.objects.filter(release=stage.release)}
    assert {key for key, row in rows.items() if row.stale_reason} == depends & touched
    assert {key for key, row in rows.items() if row.verified_by_id} == done - depends
    put_back(stage, pins)
