"""Every stored decision, run again: here, and in a process that has no Django and no database."""

import json
import subprocess
import sys
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from audit import canonical
from demo import walk
from releases.decisions import decision_body
from releases.models import Decision
from releases.reproduce import _verdict_step
from tests.factories import NOW, sign_in
from tests.releases.ready import make_ready

LATER = NOW + timedelta(minutes=30)
# What a stranger needs: the decision as it is stored, and the gate.
PROGRAM = """
import json, sys
from datetime import datetime
from audit import canonical
from releases import gate
from releases.gate.types import facts_from_json
from systems.policy import release_bars
for body in json.load(sys.stdin):
    facts, bars = facts_from_json(body["facts"]), release_bars(body["policy"]["body"])
    verdict = gate.judge(facts, bars, now=datetime.fromisoformat(body["decided_at"]), version=body["gate_version"])
    assert canonical.dumps(verdict) == canonical.dumps(body["verdict"])
    print(canonical.digest(body))
assert "django" not in sys.modules
"""


@pytest.fixture
def decided(stage):
    make_ready(stage)
    walk.sign_both(stage.release, stage.people, now=LATER)
    return stage


def replayed() -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("replay", stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def spoil(statement: str) -> None:
    """Past the trigger that keeps decisions; the test's rollback puts it back."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE releases_decision DISABLE TRIGGER USER")
        cursor.execute(statement)


def test_decisions_replay_to_the_byte_here_and_in_a_clean_process(decided):
    assert replayed() == (0, "2 decisions replayed, 0 of them not as they were.\n")
    bodies = [decision_body(row) for row in Decision.objects.select_related("release__system").order_by("pk")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(bodies), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(Decision.objects.order_by("pk").values_list("digest", flat=True))


def test_an_altered_decision_is_named_and_its_page_still_opens(decided):
    spoil("""UPDATE releases_decision SET facts = jsonb_set(facts, '{items,0,owner}', '"NaN"')""")
    code, text = replayed()
    assert (code, text.count("does not have its digest any more")) == (1, 2)
    decision = Decision.objects.select_related("release__system").first()
    step = _verdict_step(decision)
    assert (step.ok, "cannot be read" in step.sentence) == (False, True)
    page = sign_in(decided.people.engineer).get(f"/decisions/{decision.pk}/")
    assert (page.status_code, "Altered" in page.text) == (200, True)


def test_a_decision_of_a_gate_that_is_not_here_is_named(decided):
    spoil("UPDATE releases_decision SET gate_version = 99")
    decision = Decision.objects.select_related("release__system").first()
    assert "There is no gate 99" in _verdict_step(decision).sentence
    assert canonical.digest(decision_body(decision)) != decision.digest
