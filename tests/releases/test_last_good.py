from uuid import uuid4

import pytest
from django.urls import reverse

from accounts.actions import issue_token
from releases.models import Release
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def test_a_runbook_reads_which_release_to_go_back_to(stage, client):
    _, token = issue_token(
        owner=stage.people.engineer, name="x", scopes=["status:read"], by=stage.people.admin, now=NOW,
        system=stage.system.slug,
    )  # fmt: skip
    address = reverse("releases_api:last-good", args=[stage.system.slug])

    def ask():
        answer = client.get(address, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.content
        return answer.json()["last_known_good"]

    assert ask() is None
    # A release that was live once, and one that was rolled back since, which does not count.
    for label, state in (("1", Release.State.SUPERSEDED), ("2", Release.State.ROLLED_BACK)):
        row = Release.objects.get(pk=stage.release.pk)
        row.pk, row._state.adding, row.label = None, True, label
        row.id = uuid4()
        row.state, row.live_at, row.ended_at, row.end_reason = state, NOW, NOW, "over"
        row.save()
    assert ask() == "1"
    elsewhere = reverse("releases_api:last-good", args=["elsewhere"])
    stranger = client.get(elsewhere, headers={"Authorization": f"Bearer {token}"})
    assert stranger.status_code == 404
