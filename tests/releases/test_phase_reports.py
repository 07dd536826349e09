"""Leaving a phase freezes what it looked like."""

import pytest
from django.db import DatabaseError, transaction

from audit import canonical
from audit.ledger import entries
from releases.decisions import standing
from releases.gate.types import Question
from releases.models import PhaseReport
from releases.phase_reports import freeze_report
from tests.factories import NOW, sign_in
from tests.releases.ready import make_ready


def frozen(stage, phase="pre-production"):
    with transaction.atomic():
        found = standing(stage.again(), Question.CANARY, now=NOW)
        return freeze_report(stage.again(), phase, found, by=stage.people.engineer, now=NOW)


def test_a_report_holds_the_phase_and_never_changes(stage):
    make_ready(stage)
    report = frozen(stage)
    assert report.digest == canonical.digest(report.body)
    phases = {item["key"]: item["state"] for item in report.body["items"]}
    assert "contracts.input-schema" in phases
    assert "change.announced" not in phases or phases["change.announced"]
    assert report.body["answers"]
    assert "release.phase-frozen" in entries(subject=stage.release.subject).values_list("kind", flat=True)
    with pytest.raises(DatabaseError, match="kept as they are"), transaction.atomic():
        PhaseReport.objects.filter(pk=report.pk).update(phase="launch")
    assert frozen(stage).pk == report.pk, "the first report stays"


def test_it_is_shown_and_handed_out(stage):
    client = sign_in(stage.people.engineer)
    url = f"/systems/{stage.system.slug}/releases/{stage.release.label}/reports/pre-production/"
    assert client.get(url).status_code == 404
    report = frozen(stage)
    assert "checked just now" in client.get(url).content.decode()
    assert canonical.digest(client.get(f"{url}?download").json()) == report.digest
    api = client.get(f"/api/releases/{stage.release.pk}/reports/pre-production").json()
    assert api["digest"] == report.digest
