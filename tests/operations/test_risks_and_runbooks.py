from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from audit import vault
from audit.canonical import loads
from audit.ledger import entries
from audit.models import Payload
from jobs.models import Event
from operations import runbook
from operations.actions.budgets import remove_tenant_budget, set_tenant_budget
from operations.actions.risks import add_risk, close_risk, keep_register, review_risk
from operations.actions.runbooks import write_plan, write_runbook
from operations.errors import InvalidInput, NotYourRole, Refused
from operations.models import RunbookVersion, TenantBudget

pytestmark = pytest.mark.django_db
FULL = "\n".join(f"## {part.title}\n\nDo it like this.\n" for part in runbook.PARTS)


@pytest.mark.parametrize("part", runbook.PARTS, ids=lambda part: part.key)
def test_each_required_part_is_missed(part):
    without = "\n".join(f"## {one.title}\n\nDo it like this.\n" for one in runbook.PARTS if one != part)
    empty = FULL.replace(f"## {part.title}\n\nDo it like this.", f"## {part.title}\n")
    assert runbook.missing(FULL) == []
    assert runbook.missing(without) == [part.key]
    assert runbook.missing(empty) == [part.key]


def test_a_template_is_no_runbook_and_a_comment_in_code_is_no_heading():
    assert runbook.missing(runbook.TEMPLATE) == [part.key for part in runbook.PARTS]
    assert "stop" in runbook.missing("```sh\n# stop traffic\nkubectl scale\n```\n")
    assert runbook.missing("### How we STOP traffic ###\nx")[:1] == ["fallback"]


def test_what_a_runbook_may_contain():
    shown = runbook.html("# A\n\n<b onclick=x>b</b> <a href='javascript:x'>y</a> `code`\n\n<script>alert(1)</script>")
    assert "<code>code</code>" in shown
    assert not any(bad in shown for bad in ("<script", "javascript:", "onclick", "<b"))


def test_versions_of_a_runbook(system, people, now):
    oli = people("Oli", "operations")
    first = write_runbook(system=system, title="Outage", kind="model_outage", text="# Stop\n\nx", by=oli, now=now)
    assert (first.number, "stop" in first.missing, "call" in first.missing) == (1, False, True)
    assert not Event.objects.filter(topic="operations.record-made").exists(), "an incomplete one backs nothing"
    second = write_runbook(system=system, title="Outage", kind="model_outage", text=FULL, by=oli, now=now)
    assert second.number == 2 and second.runbook == first.runbook and second.missing == []
    event = Event.objects.get(topic="operations.record-made")
    assert event.payload["record"] == "runbook" and vault.get(event.payload["digest"]).decode() == FULL
    with pytest.raises(InvalidInput, match="version 2 says already"):
        write_runbook(system=system, title="Outage", kind="model_outage", text=FULL, by=oli, now=now)
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        RunbookVersion.objects.filter(pk=first.pk).update(text="Nothing.")
    with pytest.raises(NotYourRole):
        write_runbook(system=system, title="x", kind="other", text="x", by=people("Eve", "auditor"), now=now)


def test_a_degradation_plan_is_ordered_and_reversible(system, people, now):
    oli = people("Oli", "operations")
    steps = [
        {"do": "No follow-ups", "undo": "Flag on", "status": "degraded"},
        {"do": "Apology", "undo": "Route back", "status": "fallback"},
    ]
    plan = write_plan(system=system, steps=steps, by=oli, now=now)
    assert plan.steps == steps and plan.number == 1
    for bad, why in (
        ([{"do": "x", "undo": " ", "status": "degraded"}], "Step 1 says"),
        ([steps[0], {"do": "x", "undo": "y", "status": "normal"}], "Step 2 tells callers"),
        ([], "at least one step"),
        (steps, "version 1 says already"),
    ):
        with pytest.raises(InvalidInput, match=why):
            write_plan(system=system, steps=bad, by=oli, now=now)


def test_the_risk_register(system, people, now):
    mara, ed = people("Mara", "product"), people("Ed", "engineering")
    soon = (now + timedelta(days=30)).date()
    given = {"title": "Drift", "likelihood": 3, "impact": 4, "mitigation": "Validate.", "owner": ed, "review_on": soon}
    risk = add_risk(system=system, **given, items=["b", "a", "a"], by=mara, now=now)
    assert risk.score == 12 and risk.items == ["a", "b"]
    for wrong, why in (
        ({"likelihood": 6}, "from 1 to 5"),
        ({"mitigation": " "}, "says what is done"),
        ({"review_on": now.date()}, "in the future"),
        ({"owner": people("Sam", "product", system="search")}, "holds no role"),
    ):
        with pytest.raises(InvalidInput, match=why):
            add_risk(system=system, **given | wrong, by=mara, now=now)
    review_risk(risk=risk, **given | {"likelihood": 2}, items=["a", "b"], by=ed, now=now)
    last = list(entries(subject=f"risk:{risk.pk}"))[-1]
    stored = Payload.objects.get(index=last.index)
    assert last.kind == "risk.reviewed" and loads(bytes(stored.payload))["changes"] == {"likelihood": [3, 2]}
    digest = keep_register(system=system, by=mara, now=now)
    assert loads(vault.get(digest))["risks"][0]["likelihood"] == 2
    assert Event.objects.get(topic="operations.record-made").payload["record"] == "risk-register"
    close_risk(risk=risk, reason="The prompt is gone.", by=mara, now=now)
    with pytest.raises(Refused, match="closed"):
        review_risk(risk=risk, **given, by=ed, now=now)


def test_a_tenants_budget(system, people, now):
    mara = people("Mara", "product")
    given = {"cap_usd": Decimal(5), "alert_usd": Decimal(4), "owner": mara, "by": mara, "now": now}
    budget = set_tenant_budget(system=system, tenant="acme", **given)
    assert budget.cap_nanousd == 5 * 10**9
    set_tenant_budget(system=system, tenant="acme", **given | {"cap_usd": Decimal(9)})
    assert TenantBudget.objects.get().cap_nanousd == 9 * 10**9
    with pytest.raises(InvalidInput, match="not above the cap"):
        set_tenant_budget(system=system, tenant="acme", **given | {"alert_usd": Decimal(6)})
    with pytest.raises(NotYourRole):
        set_tenant_budget(system=system, tenant="acme", **given | {"by": people("Eve", "auditor")})
    remove_tenant_budget(budget=TenantBudget.objects.get(), by=mara, now=now)
    kinds = [entry.kind for entry in entries(subject="system:support-bot")]
    assert kinds[-3:] == ["budget.tenant-set", "budget.tenant-set", "budget.tenant-removed"]
