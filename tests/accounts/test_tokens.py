import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from accounts.actions import issue_token, revoke_token
from accounts.errors import AccountsError
from accounts.models import ApiToken
from accounts.roles import Role
from accounts.tokens import authenticate, generate, hash_of
from audit import ledger
from tests.factories import NOW, make_admin, make_user
from web.problems import Forbidden, Invalid

pytestmark = pytest.mark.django_db


def issue(owner=None, scopes=("gate:read",), **fields):
    owner = owner or make_user("Mara", Role.ENGINEERING, system="support-bot")
    fields = {"name": "CI", "system": "support-bot", "by": make_admin(), "now": NOW, **fields}
    return issue_token(owner=owner, scopes=scopes, **fields)


def test_the_form_of_a_token():
    public_id, token = generate()
    assert token.startswith(f"rdy_{public_id}")
    assert len(token) == 4 + 10 + 43 + 6
    assert generate()[1] != token


def test_a_token_opens_as_its_owner_and_only_its_hash_is_kept():
    token, secret = issue()
    found = authenticate(secret, NOW)
    assert found == token
    assert found.actor_id == token.owner.actor_id
    assert found.via == f"token:{token.public_id}"
    with connection.cursor() as cursor:
        for table in ("accounts_apitoken", "audit_payload", "jobs_event"):
            cursor.execute(f"SELECT t::text FROM {table} t")
            assert secret[14:] not in str(cursor.fetchall())
    assert ApiToken.objects.get().secret_hash == hash_of(secret)
    entry = ledger.entries(subject=f"token:{token.public_id}").get()
    assert (entry.kind, entry.system) == ("token.issued", "support-bot")


def test_a_wrong_token_opens_nothing_and_a_mistyped_one_asks_no_database(django_assert_num_queries):
    _, secret = issue()
    _, stranger = generate()
    assert authenticate(stranger, NOW) is None
    with django_assert_num_queries(0):
        for wrong in (
            "",
            "rdy_",
            secret[:-1],
            secret + "x",
            secret[:-1] + ("a" if secret[-1] != "a" else "b"),
            secret[:20] + ("a" if secret[20] != "a" else "b") + secret[21:],
            secret.replace("rdy_", "RDY_"),
            f" {secret}",
        ):
            assert authenticate(wrong, NOW) is None


def test_another_secret_with_the_same_public_id_opens_nothing():
    token, _ = issue()
    _, other = generate()
    ApiToken.objects.update(public_id=other[4:14])
    assert authenticate(other, NOW) is None
    assert ApiToken.objects.get(pk=token.pk).last_used_at is None


def test_revoked_expired_and_ownerless_tokens_open_nothing():
    token, secret = issue(expires_at=NOW + timedelta(days=1))
    assert authenticate(secret, NOW + timedelta(hours=23)) == token
    assert authenticate(secret, NOW + timedelta(days=1)) is None
    token.owner.is_active = False
    token.owner.save()
    assert authenticate(secret, NOW) is None
    token.owner.is_active = True
    token.owner.save()
    revoke_token(token=token, by=token.owner, now=NOW)
    assert authenticate(secret, NOW) is None
    with pytest.raises(AccountsError, match="already"):
        revoke_token(token=token, by=token.owner, now=NOW)


def test_last_use_is_noted_once_a_minute(django_assert_num_queries):
    token, secret = issue()
    with django_assert_num_queries(2):
        authenticate(secret, NOW)
    with django_assert_num_queries(1):
        authenticate(secret, NOW + timedelta(seconds=59))
    token.refresh_from_db()
    assert token.last_used_at == NOW
    authenticate(secret, NOW + timedelta(seconds=60))
    token.refresh_from_db()
    assert token.last_used_at == NOW + timedelta(seconds=60)


def test_what_a_token_may_be():
    mara = make_user("Mara", Role.ENGINEERING, system="support-bot")
    with pytest.raises(Invalid, match="one system and one environment"):
        issue(mara, scopes=["ingest"])
    with pytest.raises(Invalid, match="no role on search"):
        issue(mara, system="search")
    with pytest.raises(Invalid, match="whole organisation"):
        issue(mara, system="")
    with pytest.raises(Invalid, match="needs a scope"):
        issue(mara, scopes=[])
    with pytest.raises(Invalid, match="no scope 'sign'"):
        issue(mara, scopes=["gate:read", "sign"])
    with pytest.raises(Invalid, match="future"):
        issue(mara, expires_at=NOW)
    with pytest.raises(Forbidden):
        issue(mara, by=mara)
    assert not ApiToken.objects.exists()
    token, _ = issue(mara, scopes=["ingest"], environment="production")
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiToken.objects.filter(pk=token.pk).update(environment="")


def test_others_cannot_revoke_it():
    token, secret = issue()
    with pytest.raises(Forbidden):
        revoke_token(token=token, by=make_user("Otto", Role.OPERATIONS, system="support-bot"), now=NOW)
    assert authenticate(secret, NOW) == token


def test_the_api_takes_the_token_and_says_what_it_is():
    token, secret = issue()
    client = Client(headers={"authorization": f"Bearer {secret}"})
    me = client.get("/api/me").json()
    assert me["token"] == token.public_id
    assert me["id"] == str(token.owner_id)
    assert [row["role"] for row in me["roles"]] == ["engineering"]
    # It makes no other token, and reads no list of people.
    refused = client.post("/api/tokens", {}, content_type="application/json")
    assert refused.status_code == 403
    assert "takes a person" in refused.json()["detail"]
    assert client.get("/api/people").status_code == 403


def test_a_bad_token_is_refused_even_beside_a_session():
    token, secret = issue(make_user("Aud", Role.AUDITOR))
    client = Client(headers={"authorization": f"Bearer {secret[:-1]}x"})
    client.force_login(token.owner)
    answer = client.get("/api/me")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.django_db(transaction=True)
def test_a_revoked_token_is_dead_for_other_connections_at_once():
    token, secret = issue()
    seen = []

    def ask():
        try:
            seen.append(authenticate(secret, NOW))
        finally:
            connection.close()

    def in_a_thread():
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()

    in_a_thread()
    revoke_token(token=token, by=token.owner, now=NOW)
    in_a_thread()
    assert seen == [token, None]
