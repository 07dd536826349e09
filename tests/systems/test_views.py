"""The pages of systems: what they show to whom, and that each form does its act."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.actions import create_user
from audit.actors import SYSTEM
from systems import actions
from systems.kinds import Area, Kind
from systems.models import Component, Ownership, ReleasePolicy, System, Version
from systems.registry import content_of
from tests.factories import (
    PROMPT,
    Whole,
    make_component,
    make_people,
    make_system,
    make_user,
    make_version,
    make_whole_system,
    sign_in,
)

pytestmark = pytest.mark.django_db

# The views read the clock; what they meet was made the day before.
NOW = timezone.now() - timedelta(days=1)


def page(client: Client, route: str, *args: object, status: int = 200, **query: str) -> str:
    answer = client.get(reverse(f"systems:{route}", args=args), query)
    assert answer.status_code == status, answer.content.decode()[:2000]
    return answer.content.decode()


def post(client: Client, route: str, *args: object, data: dict[str, Any] | None = None) -> Any:
    return client.post(reverse(f"systems:{route}", args=args), data or {})


@pytest.fixture
def whole() -> Whole:
    return make_whole_system(now=NOW)


def test_the_empty_list_teaches_and_offers_one_thing() -> None:
    people = make_people(now=NOW)
    text = page(sign_in(people.product), "list")
    assert "No system yet" in text
    assert reverse("systems:create") in text
    blocked = page(sign_in(people.auditor), "list")
    assert "This takes the role" in blocked


def test_the_list_shows_only_what_one_may_see(whole: Whole) -> None:
    make_system("secret-bot", name="Secret helper", now=NOW)
    local = make_user("Lea", "engineering", system="support-bot", now=NOW)
    text = page(sign_in(local), "list")
    assert "Support bot" in text
    assert "Secret helper" not in text
    everything = page(sign_in(whole.people.auditor), "list")
    assert "Secret helper" in everything
    assert "9 gaps" in everything
    assert "Secret helper" not in page(sign_in(whole.people.auditor), "list", q="support")
    assert "No system matches" in page(sign_in(whole.people.auditor), "list", q="zebra")


def queries(client: Client, route: str, *args: object) -> int:
    with CaptureQueriesContext(connection) as captured:
        page(client, route, *args)
    return len(captured)


def test_the_list_costs_the_same_for_many_systems() -> None:
    people = make_people(now=NOW)
    client = sign_in(people.engineer)
    make_system("bot", people=people, now=NOW)
    page(client, "list")
    before = queries(client, "list")
    for number in range(8):
        make_system(f"bot-{number}", people=people, now=NOW)
    assert queries(client, "list") == before
    assert "bot-7" in page(client, "list")


def test_a_system_is_made_with_its_ownership_map() -> None:
    people = make_people(now=NOW)
    owners = {f"owner_{area}": str(user.pk) for area, user in people.owners().items()}
    client = sign_in(people.product)
    data = {"name": "Support", "slug": "support", "time_zone": "Europe/Berlin", "has_regulated_data": "on"} | owners
    answer = post(client, "create", data=data)
    assert answer.status_code == 302
    system = System.objects.get(slug="support")
    assert (system.time_zone, system.has_regulated_data, system.created_by) == ("Europe/Berlin", True, people.product)
    assert Ownership.objects.filter(system=system).count() == len(Area)
    text = page(client, "detail", "support")
    assert "Priya Privacy" in text
    assert "There is no prompt yet." in text


def test_a_refused_form_keeps_what_was_typed_and_says_why() -> None:
    people = make_people(now=NOW)
    make_system("support", now=NOW)
    answer = post(sign_in(people.product), "create", data={"name": "Sup & port", "slug": "support", "time_zone": "UTC"})
    assert answer.status_code == 422
    text = answer.content.decode()
    assert "There is a system support already." in text
    assert "Sup &amp; port" in text
    answer = post(sign_in(people.product), "create", data={"name": "X", "slug": "Nope!", "time_zone": "UTC"})
    assert "lower-case letters" in answer.content.decode()
    assert System.objects.count() == 1


def test_without_the_role_no_system_is_made() -> None:
    auditor = make_user("Aud", "auditor", now=NOW)
    assert "You cannot make a system." in page(sign_in(auditor), "create")
    answer = post(sign_in(auditor), "create", data={"name": "X", "slug": "x", "time_zone": "UTC"})
    assert answer.status_code == 403
    assert not System.objects.exists()


PAGES = [
    ("detail", ()),
    ("change", ()),
    ("owners", ()),
    ("component", ("prompt", "system-prompt")),
    ("draft", ("prompt", "system-prompt")),
    ("version", ("prompt", "system-prompt", 1)),
    ("content", ("prompt", "system-prompt", 1)),
    ("policy", ()),
    ("propose", ("release",)),
    ("policy-version", ("release", 1)),
]
POSTS = [
    ("change", ()),
    ("owners", ()),
    ("add-component", ()),
    ("draft", ("prompt", "system-prompt")),
    ("retire-component", ("prompt", "system-prompt")),
    ("version-act", ("prompt", "system-prompt", 1, "deprecate")),
    ("propose", ("running",)),
    ("policy-act", ("release", 1, "approve")),
]


@pytest.mark.parametrize(("route", "args"), PAGES)
def test_every_page_opens_for_members_and_is_not_there_for_others(
    whole: Whole, route: str, args: tuple[object, ...]
) -> None:
    assert page(sign_in(whole.people.auditor), route, "support-bot", *args)
    stranger = make_user("Sam", "engineering", system="other-bot", now=NOW)
    page(sign_in(stranger), route, "support-bot", *args, status=404)
    assert Client().get(reverse(f"systems:{route}", args=["support-bot", *args])).status_code == 302


@pytest.mark.parametrize(("route", "args"), POSTS)
def test_no_act_for_strangers_nor_for_readers(whole: Whole, route: str, args: tuple[object, ...]) -> None:
    stranger = make_user("Sam", "engineering", system="other-bot", now=NOW)
    data = {
        "name": "Hijacked", "time_zone": "UTC", "owner_budget": str(whole.people.operator.pk),
        "kind": "prompt", "text": "Obey me.", "note": "x", "reason": "x", "role": "product",
    } | {name: str(value) for name, value in actions_body().items()}  # fmt: skip
    before = snapshot()
    assert post(sign_in(stranger), route, "support-bot", *args, data=data).status_code == 404
    assert post(sign_in(whole.people.auditor), route, "support-bot", *args, data=data).status_code in (403, 409, 422)
    assert snapshot() == before


def actions_body() -> dict[str, Any]:
    return {**ReleasePolicy.objects.get().body, "budget_daily_usd": "99", "budget_alert_usd": "9"}


def snapshot() -> list[Any]:
    return [
        list(System.objects.values()),
        list(Ownership.objects.order_by("pk").values()),
        list(Component.objects.order_by("pk").values()),
        list(Version.objects.order_by("pk").values("pk", "state", "number")),
        list(ReleasePolicy.objects.order_by("pk").values()),
    ]


def test_owners_are_assigned_on_a_page(whole: Whole) -> None:
    client = sign_in(whole.people.product)
    text = page(client, "owners", "support-bot")
    assert "owner_privacy" in text
    assert "owner_compliance" not in text, "asked for only where data is regulated"
    data = {"owner_budget": str(whole.people.operator.pk), "owner_privacy": ""}
    assert post(client, "owners", "support-bot", data=data).status_code == 302
    assert Ownership.objects.get(area="budget").user == whole.people.operator
    assert Ownership.objects.get(area="privacy").user == whole.people.privacy, "left empty: stays"
    assert post(client, "owners", "support-bot", data={"owner_budget": "nobody"}).status_code == 422


def test_a_gap_is_red_and_says_what_to_do(whole: Whole) -> None:
    bare = make_system("bare", now=NOW)
    text = page(sign_in(whole.people.engineer), "detail", bare.slug)
    assert "What stands in the way of a release" in text
    assert "Budget: nobody is named." in text
    complete = page(sign_in(whole.people.engineer), "detail", "support-bot")
    assert "What stands in the way of a release" not in complete


def test_a_prompt_goes_from_upload_to_approval_through_the_pages(whole: Whole) -> None:
    people = whole.people
    writer, reviewer = sign_in(people.engineer), sign_in(people.engineer2)
    answer = post(writer, "add-component", "support-bot", data={"kind": "prompt", "name": "router"})
    assert answer["Location"] == reverse("systems:draft", args=["support-bot", "prompt", "router"])
    exact = b"Route the question.\r\nOne word.\r\n"
    upload = {"file": SimpleUploadedFile("router.txt", exact), "note": "First.", "submit": "1"}
    answer = post(writer, "draft", "support-bot", "prompt", "router", data=upload)
    version = Version.objects.get(component__name="router")
    assert answer["Location"] == reverse("systems:version", args=["support-bot", "prompt", "router", 1])
    assert content_of(version) == exact, "an uploaded file keeps its line ends"
    assert version.state == "in_review"
    assert "waits for a second person" in page(reviewer, "detail", "support-bot")
    assert "You wrote this version." in page(writer, "version", "support-bot", "prompt", "router", 1)
    refused = post(writer, "version-act", "support-bot", "prompt", "router", 1, "approve")
    assert refused.status_code == 403
    assert "You approve exactly" in page(reviewer, "version", "support-bot", "prompt", "router", 1)
    answer = post(reviewer, "version-act", "support-bot", "prompt", "router", 1, "approve", data={"note": "Good."})
    assert answer.status_code == 302
    version.refresh_from_db()
    assert (version.state, version.reviewer, version.review_note) == ("approved", people.engineer2, "Good.")
    text = page(writer, "version", "support-bot", "prompt", "router", 1)
    assert "checked just now" in text
    assert "approved it" in text


def test_typed_text_has_plain_line_ends(whole: Whole) -> None:
    client = sign_in(whole.people.engineer)
    data = {"text": "Be brief.\r\nBe kind.\r\n", "note": ""}
    assert post(client, "draft", "support-bot", "prompt", "system-prompt", data=data).status_code == 302
    made = Version.objects.get(component__name="system-prompt", number=2)
    assert content_of(made) == b"Be brief.\nBe kind.\n"
    assert made.state == "draft"


def test_two_versions_are_compared(whole: Whole) -> None:
    component = Component.objects.get(name="system-prompt")
    make_version(component, PROMPT + b"Never guess.\n", by=whole.people.engineer, now=NOW)
    client = sign_in(whole.people.engineer)
    text = page(client, "version", "support-bot", "prompt", "system-prompt", 2)
    assert "v1 → v2" in text
    assert "Never guess." in text
    page(client, "version", "support-bot", "prompt", "system-prompt", 2, **{"with": "7"}, status=404)
    page(client, "version", "support-bot", "prompt", "system-prompt", 2, **{"with": "one"}, status=404)


def test_invalid_content_is_explained_with_its_line(whole: Whole) -> None:
    client = sign_in(whole.people.engineer)
    answer = post(client, "draft", "support-bot", "output_schema", "answer", data={"text": '{\n"type": "objec"\n}'})
    assert answer.status_code == 422
    text = answer.content.decode()
    assert "Line 2: &#x27;objec&#x27; is not valid" in text
    assert "&quot;objec&quot;" in text, "what was typed is still there"
    empty = post(client, "draft", "support-bot", "dataset", "golden-set", data={"note": "x"})
    assert "The file is empty." in empty.content.decode()


def test_content_is_shown_as_text_and_never_runs(whole: Whole) -> None:
    component = make_component(whole.system, Kind.PROMPT, "hostile", by=whole.people.engineer, now=NOW)
    make_version(component, b"<script>alert(1)</script>\n{{ 7|add:7 }}", by=whole.people.engineer, now=NOW)
    client = sign_in(whole.people.engineer)
    text = page(client, "version", "support-bot", "prompt", "hostile", 1)
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)" in text
    answer = client.get(reverse("systems:content", args=["support-bot", "prompt", "hostile", 1]))
    assert answer.content.startswith(b"<script>")
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == 'attachment; filename="hostile-v1.txt"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]


def test_a_policy_change_is_proposed_compared_and_approved(whole: Whole) -> None:
    people = whole.people
    author, product = sign_in(people.operator), sign_in(people.product)
    body = ReleasePolicy.objects.get().body
    fields = {name: "" if value is False else value for name, value in body.items() if value is not False}
    data = fields | {"canary_hours": "48", "error_rate_max": "0.02", "reason": "Weekends differ."}
    answer = post(author, "propose", "support-bot", "release", data=data)
    assert answer["Location"] == reverse("systems:policy-version", args=["support-bot", "release", 2])
    text = page(product, "policy-version", "support-bot", "release", 2)
    assert "<del>24 hours</del>" in text
    assert "<ins>48 hours</ins>" in text
    assert "<del>1.5 %</del>" in text
    assert "It asks for less than the shipped policy." in text
    post(product, "policy-act", "support-bot", "release", 2, "approve", data={"role": "product"})
    assert ReleasePolicy.objects.get(number=2).state == "draft"
    post(sign_in(people.platform), "policy-act", "support-bot", "release", 2, "approve", data={"role": "platform"})
    assert ReleasePolicy.objects.get(number=2).state == "approved"
    overview = page(author, "policy", "support-bot")
    assert "version 2" in overview
    assert "Weaker than shipped" in overview
    assert "Weekends differ." in overview


def test_a_wrong_threshold_is_explained(whole: Whole) -> None:
    body = {name: value for name, value in ReleasePolicy.objects.get().body.items() if value is not False}
    client = sign_in(whole.people.operator)
    answer = post(client, "propose", "support-bot", "release", data=body | {"error_rate_max": "two", "reason": "x"})
    assert answer.status_code == 422
    assert "is not a number" in answer.content.decode()
    same = post(client, "propose", "support-bot", "release", data=body | {"reason": "x"})
    assert "says already" in same.content.decode()
    assert ReleasePolicy.objects.count() == 1


def test_the_system_page_costs_the_same_however_much_there_is(whole: Whole) -> None:
    client = sign_in(whole.people.engineer)
    page(client, "detail", "support-bot")
    before = queries(client, "detail", "support-bot")
    for number in range(8):
        component = make_component(whole.system, Kind.PROMPT, f"p{number}", by=whole.people.engineer, now=NOW)
        make_version(component, by=whole.people.engineer, now=NOW)
    assert queries(client, "detail", "support-bot") == before
    assert "p7" in page(client, "detail", "support-bot")


def test_people_of_other_roles_see_why_a_button_is_grey(whole: Whole) -> None:
    text = page(sign_in(whole.people.auditor), "component", "support-bot", "prompt", "system-prompt")
    assert "This takes the role product, engineering or operations on this system." in text
    assert 'aria-disabled="true"' in text


def test_a_demo_person_is_not_offered_for_a_real_system(whole: Whole) -> None:
    create_user(email="demo@example.test", name="Demo Dora", by=SYSTEM, now=NOW, is_demo=True)
    assert "Demo Dora" not in page(sign_in(whole.people.product), "owners", "support-bot")
    demo = actions.create_system(slug="show", name="Show", by=whole.people.admin, now=NOW, is_demo=True)
    assert "Demo Dora" in page(sign_in(whole.people.product), "owners", demo.slug)
