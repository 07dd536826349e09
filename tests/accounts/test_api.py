import pytest
from django.test import Client

from accounts.actions import issue_token
from accounts.models import ApiToken
from accounts.roles import Role
from accounts.tokens import authenticate
from tests.accounts.test_views import signed_in
from tests.factories import NOW, make_admin, make_user
from web.models import IdempotencyKey

pytestmark = pytest.mark.django_db


def post(client, body, **headers):
    return client.post("/api/tokens", body, content_type="application/json", headers=headers)


def test_me_says_who_and_with_which_roles():
    mara = make_user("Mara", Role.ENGINEERING, system="support-bot")
    body = signed_in(mara).get("/api/me").json()
    assert body["name"] == "Mara"
    assert body["token"] is None
    assert body["roles"] == [
        {"role": "engineering", "system": "support-bot", "starts_at": "2026-11-23T12:00:00Z", "ends_at": None,
         "founding": True}
    ]  # fmt: skip
    assert Client().get("/api/me").status_code == 401


def test_a_token_of_one_system_does_not_tell_its_owner_s_roles_elsewhere():
    mara = make_user("Mara", Role.ENGINEERING, system="support-bot")
    other = make_user("Otto", Role.AUDITOR)
    _, secret = issue_token(owner=mara, name="CI", scopes=["gate:read"], system="support-bot", by=make_admin(), now=NOW)
    mara.grants.create(role=Role.PRODUCT, system="search", starts_at=NOW, granted_at=NOW, founding=True)
    body = Client(headers={"authorization": f"Bearer {secret}"}).get("/api/me").json()
    assert [(row["role"], row["system"]) for row in body["roles"]] == [("engineering", "support-bot")]
    assert str(other.pk) not in str(body)


def test_people_page_by_page():
    client = signed_in(make_user("Aud", Role.AUDITOR))
    for n in range(5):
        make_user(f"Person {n}")
    seen, cursor = [], None
    while True:
        body = client.get("/api/people", {"size": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [row["name"] for row in body["results"]]
        cursor = body["next"]
        if cursor is None:
            break
    assert seen == sorted(seen)
    assert {"Ada Admin", "Aud", "Person 0", "Person 4"} <= set(seen)
    assert len(seen) == len(set(seen)) == 7
    for wrong in ({"size": "0"}, {"size": "1e9"}, {"size": "٣"}, {"cursor": "rubbish"}):
        answer = client.get("/api/people", wrong)
        assert answer.status_code == 400
        assert answer["Content-Type"] == "application/problem+json"


def test_an_admin_issues_a_token_and_its_secret_is_kept_nowhere():
    admin = signed_in(make_admin())
    mara = make_user("Mara", Role.ENGINEERING, system="support-bot")
    body = {"name": "CI", "owner": str(mara.pk), "scopes": ["gate:read"], "system": "support-bot"}
    answer = post(admin, body, **{"Idempotency-Key": "once"})
    assert answer.status_code == 201
    secret = answer.json()["secret"]
    assert authenticate(secret, NOW).owner == mara
    assert not IdempotencyKey.objects.exists()
    listed = admin.get("/api/tokens").json()["results"]
    assert [row["name"] for row in listed] == ["CI"]
    assert "secret" not in listed[0]
    assert "secret_hash" not in listed[0]


def test_wrong_input_is_told_field_by_field():
    admin = signed_in(make_admin())
    answer = post(admin, {"name": "", "owner": "nobody", "scopes": ["sign"]})
    assert answer.status_code == 422
    assert set(answer.json()["errors"]) == {"name", "owner", "scopes"}
    # What a caller must not set is not taken.
    mara = make_user("Mara", Role.AUDITOR)
    answer = post(
        admin,
        {"name": "CI", "owner": str(mara.pk), "scopes": ["gate:read"], "last_used_at": NOW, "public_id": "chosen"},
    )
    assert answer.status_code == 201
    token = ApiToken.objects.get()
    assert token.public_id != "chosen"
    assert token.last_used_at is None


def test_issuing_asks_for_a_recent_sign_in():
    admin = signed_in(make_admin(), age=400)
    mara = make_user("Mara", Role.AUDITOR)
    answer = post(admin, {"name": "CI", "owner": str(mara.pk), "scopes": ["gate:read"]})
    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/reauthentication-needed"
    assert not ApiToken.objects.exists()


def test_revoking_by_owner_admin_and_stranger():
    mara = make_user("Mara", Role.AUDITOR)
    token, secret = issue_token(owner=mara, name="CI", scopes=["gate:read"], by=make_admin(), now=NOW)
    path = f"/api/tokens/{token.pk}"
    assert signed_in(make_user("Otto", Role.AUDITOR)).delete(path).status_code == 404
    bearer = Client(headers={"authorization": f"Bearer {secret}"})
    assert bearer.delete(path).status_code == 403
    assert authenticate(secret, NOW)
    owner = signed_in(mara)
    assert owner.delete(path).status_code == 204
    assert authenticate(secret, NOW) is None
    assert owner.delete(path).status_code == 409
