"""An admin and the platform owner set an environment aside together, on the page or by the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from audit.environments import aside
from audit.ledger import entries
from audit.models import SideEnvironment
from systems import actions
from systems.errors import InvalidInput, NotYourRole, Refused
from tests.factories import NOW, sign_in

pytestmark = pytest.mark.django_db

WANTED: dict[str, Any] = {
    "name": "shadow",
    "kind": "shadow",
    "daily_requests": 5000,
    "reason": "Mirrored requests of release candidates.",
}


@pytest.fixture
def admin(people):
    return people.admin


@pytest.fixture
def platform(people):
    return people.platform


def names(system):
    return [row.name for row in aside(system.slug)]


def test_one_proposes_the_other_confirms_and_either_may_take_it_back(system, people, admin, platform):
    made = actions.propose_environment(system=system, by=admin, now=NOW, **WANTED)
    assert names(system) == []
    for person in (admin, people.engineer):
        with pytest.raises(NotYourRole):
            actions.confirm_environment(system=system, environment_id=made.pk, by=person, now=NOW)
    actions.confirm_environment(system=system, environment_id=made.pk, by=platform, now=NOW)
    assert names(system) == ["shadow"]
    with pytest.raises(Refused, match="decided on already"):
        actions.confirm_environment(system=system, environment_id=made.pk, by=platform, now=NOW)
    with pytest.raises(Refused, match="set aside already"):
        actions.propose_environment(system=system, by=platform, now=NOW, **WANTED)
    with pytest.raises(InvalidInput, match="Say why"):
        actions.end_environment(system=system, environment_id=made.pk, reason=" ", by=people.engineer, now=NOW)
    actions.end_environment(system=system, environment_id=made.pk, reason="Not needed.", by=people.engineer, now=NOW)
    assert names(system) == []
    again = actions.propose_environment(system=system, by=platform, now=NOW + timedelta(days=1), **WANTED)
    actions.confirm_environment(system=system, environment_id=again.pk, by=admin, now=NOW)
    kinds = list(entries(subject=f"system:{system.slug}").values_list("kind", flat=True))
    assert [kinds.count(f"system.environment-{what}") for what in ("proposed", "set-aside", "ended")] == [2, 2, 1]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"name": "Production"}, "Production is production"),
        ({"kind": "other"}, "test or as shadow"),
        ({"reason": " "}, "say what it is for"),
        ({"daily_requests": 0}, "volume of 1 to"),
        ({"daily_requests": 10**9}, "volume of 1 to"),
    ],
)
def test_what_makes_no_sense_is_refused(system, admin, changed, reason):
    with pytest.raises(InvalidInput, match=reason):
        actions.propose_environment(system=system, by=admin, now=NOW, **{**WANTED, **changed})
    assert not SideEnvironment.objects.exists()


def test_page_and_api_do_the_same(system, people, admin, platform):
    page, proposing = (reverse(f"systems:{name}", args=[system.slug]) for name in ("traffic", "environment-propose"))
    assert "every environment counts as production" in sign_in(people.engineer).get(page).content.decode()
    assert sign_in(people.engineer).post(proposing, WANTED).status_code == 403
    sign_in(platform).post(proposing, WANTED)
    made = SideEnvironment.objects.get()
    assert "Counts until confirmed" in sign_in(platform).get(page).content.decode()
    confirm = f"/api/systems/{system.slug}/environments/{made.pk}/confirm"
    assert sign_in(platform).post(confirm, {}, content_type="application/json").status_code == 403
    assert sign_in(admin).post(confirm, {}, content_type="application/json").json()["state"] == "ok"
    assert "0 of 5,000" in sign_in(platform).get(page).content.decode()
    listed = sign_in(people.engineer).get(f"/api/systems/{system.slug}/environments").json()
    assert [(one["name"], one["state"]) for one in listed["results"]] == [("shadow", "ok")]
    end = reverse("systems:environment-act", args=[system.slug, made.pk, "end"])
    sign_in(people.operator).post(end, {"reason": "Over."})
    assert "Production again" in sign_in(platform).get(page).content.decode()
    wrong = sign_in(admin).post(
        f"/api/systems/{system.slug}/environments/{made.pk}/forget", {}, content_type="application/json"
    )
    assert wrong.status_code == 404
    refused = sign_in(admin).post(
        f"/api/systems/{system.slug}/environments", {**WANTED, "daily_requests": 0}, content_type="application/json"
    )
    assert refused.status_code == 422
