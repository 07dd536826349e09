"""A limit of a running system changes as the bars of a release do: with a reason, compared, by a second person. Then it
holds at once, for nothing pins it: the budget and the charts follow from the next question on."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from audit import ledger
from metrics.dashboards import limits_of as limits_of_charts
from operations.budget import budget_state
from systems.models import RunningPolicy
from tests.factories import Whole, make_whole_system, sign_in

pytestmark = pytest.mark.django_db

NANO = 10**9


@pytest.fixture
def whole() -> Whole:
    return make_whole_system(now=timezone.now() - timedelta(days=1))


def url(route: str, *args: object) -> str:
    return reverse(f"systems:{route}", args=["support-bot", *args])


def cap(whole: Whole) -> int:
    return budget_state(whole.system, timezone.now()).cap_nanousd // NANO


def test_a_limit_changes_with_a_reason_a_second_person_and_at_once(whole: Whole) -> None:
    people = whole.people
    # Product drafts it herself: her own approval does not count.
    author, second = sign_in(people.product), sign_in(people.product2)
    data = RunningPolicy.objects.get().body | {"budget_daily_usd": "80", "budget_alert_usd": "70"}
    unsaid = author.post(url("propose", "running"), data | {"reason": ""})
    assert unsaid.status_code == 422
    late = author.post(url("propose", "running"), data | {"budget_alert_usd": "90", "reason": "A launch."})
    assert "must not lie above the daily cap" in late.content.decode()
    assert RunningPolicy.objects.count() == 1

    author.post(url("propose", "running"), data | {"reason": "A launch on Friday."})
    page = author.get(url("policy-version", "running", 2)).content.decode()
    assert "<del>50 USD</del>" in page
    assert "<ins>80 USD</ins>" in page
    assert "A launch on Friday." in page
    own = author.post(url("policy-act", "running", 2, "approve"), {"role": "product"})
    assert own.status_code == 403
    assert cap(whole) == 50

    second.post(url("policy-act", "running", 2, "approve"), {"role": "product"})
    assert cap(whole) == 80
    said = second.get("/api/systems/support-bot/budget").json()
    assert (said["cap_usd"], said["alert_usd"]) == ("80", "70")
    states = list(RunningPolicy.objects.order_by("number").values_list("number", "state"))
    assert states == [(1, "superseded"), (2, "approved")]
    entries = ledger.entries(subject=f"policy:{RunningPolicy.objects.get(number=2).pk}")
    assert [entry.kind for entry in entries] == ["policy.proposed", "policy.approved"]


def test_a_looser_objective_takes_the_platform_owner_and_moves_the_line_of_the_chart(whole: Whole) -> None:
    people = whole.people
    operator = sign_in(people.operator)
    body = {"part": "running", "body": {"slo_p95_ms": 1500}, "reason": "The new model is slower."}
    made = operator.post("/api/systems/support-bot/policies", body, content_type="application/json")
    assert (made.status_code, made.json()["weakens"]) == (201, ["slo_p95_ms"])
    page = operator.get(url("policy-version", "running", 2)).content.decode()
    assert "It asks for less than the shipped policy." in page
    assert "every release" not in page
    for client, role, in_force in (
        (sign_in(people.product), "product", 1200),
        (sign_in(people.platform), "platform", 1500),
    ):
        path = "/api/systems/support-bot/policies/running/2/approve"
        answer = client.post(path, {"role": role}, content_type="application/json")
        assert answer.status_code == 200, answer.content
        assert limits_of_charts(whole.system).slo_p95_ms == in_force
