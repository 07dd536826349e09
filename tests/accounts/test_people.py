import pytest
from django.core import mail
from django.test import Client

from accounts.actions import create_user, deactivate, invitation_path, invite, issue_token, rename
from accounts.errors import AccountsError
from accounts.models import User
from accounts.queries import roles_of
from accounts.roles import Role
from accounts.tasks import mail_invitation
from accounts.tokens import authenticate
from audit import ledger
from audit.actors import SYSTEM
from jobs.models import Event, Job
from tests.factories import NOW, PASSWORD, make_admin, make_user
from web.problems import Forbidden, Invalid

pytestmark = pytest.mark.django_db


def test_an_invited_person_chooses_a_password_and_is_in():
    admin = make_admin()
    user = invite(email="Mara@Example.test", name="Mara", by=admin, now=NOW)
    assert user.email == "mara@example.test"
    assert not user.has_usable_password()
    job = Job.objects.get(task="accounts.mail_invitation")
    mail_invitation(job_id=str(job.pk))
    job.refresh_from_db()
    assert job.state == "done", job.error

    [message] = mail.outbox
    assert message.to == ["mara@example.test"]
    link = next(line for line in message.body.splitlines() if line.startswith("http"))
    path = link.split("localhost:8000", 1)[1]
    assert path == invitation_path(user) or path.startswith("/accounts/password/reset/key/")
    assert path not in str(list(Job.objects.values())), "the link stands in no table"

    client = Client()
    form = client.get(path, follow=True)
    action = form.redirect_chain[-1][0]
    answer = client.post(action, {"password1": PASSWORD, "password2": PASSWORD})
    assert answer.status_code == 302
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    assert client.get("/me/").status_code == 200
    # The link worked once.
    assert Client().get(path, follow=True).context["token_fail"]


def test_people_are_not_invited_twice_nor_nameless():
    admin = make_admin()
    invite(email="mara@example.test", name="Mara", by=admin, now=NOW)
    with pytest.raises(AccountsError, match="already"):
        invite(email="MARA@example.test", name="Mara", by=admin, now=NOW)
    with pytest.raises(Invalid, match="name"):
        invite(email="x@example.test", name="  ", by=admin, now=NOW)
    with pytest.raises(Invalid, match="e-mail"):
        invite(email="x@", name="X", by=admin, now=NOW)
    with pytest.raises(Forbidden):
        invite(email="y@example.test", name="Y", by=make_user("Petra", Role.PRODUCT), now=NOW)
    assert not User.objects.filter(name__in=["X", "Y"]).exists()


def test_who_is_shut_out_loses_everything_at_once():
    admin = make_admin()
    mara = make_user("Mara", Role.ENGINEERING, Role.AUDITOR, system="support-bot", password=PASSWORD)
    token, secret = issue_token(owner=mara, name="CI", scopes=["gate:read"], system="support-bot", by=admin, now=NOW)
    client = Client(headers={"user-agent": "test"})
    client.force_login(mara)
    assert client.get("/accounts/enrol/").status_code == 200

    deactivate(user=mara, by=admin, now=NOW, reason="left the company")
    assert client.get("/accounts/enrol/").status_code == 302
    assert authenticate(secret, NOW) is None
    token.refresh_from_db()
    assert token.revoked_at == NOW
    assert roles_of(mara, system="support-bot", now=NOW) == frozenset()
    assert {event.payload["role"] for event in Event.objects.filter(topic="accounts.role-revoked")} == {
        "engineering",
        "auditor",
    }
    assert ledger.entries(subject=f"user:{mara.pk}").filter(kind="user.deactivated").exists()
    # Even where somebody switches the row back on, the roles do not come back with it.
    User.objects.filter(pk=mara.pk).update(is_active=True)
    assert roles_of(mara, system="support-bot", now=NOW) == frozenset()
    assert not client.login(email=mara.email, password="wrong")


def test_shutting_out_needs_an_admin_and_a_reason():
    mara, otto = make_user("Mara", Role.PRODUCT), make_user("Otto", Role.OPERATIONS)
    with pytest.raises(Forbidden):
        deactivate(user=mara, by=otto, now=NOW, reason="because")
    with pytest.raises(Invalid, match="why"):
        deactivate(user=mara, by=make_admin(), now=NOW, reason=" ")
    mara.refresh_from_db()
    assert mara.is_active


def test_a_new_name_is_recorded_with_the_old_one():
    mara = make_user("Mara Ode")
    rename(user=mara, name="Mara Odegaard", by=mara, now=NOW)
    mara.refresh_from_db()
    assert mara.name == "Mara Odegaard"
    assert ledger.entries(subject=f"user:{mara.pk}").filter(kind="user.renamed").count() == 1
    with pytest.raises(Forbidden):
        rename(user=mara, name="Mallory", by=make_user("Mallory"), now=NOW)


def test_names_and_addresses_are_in_no_leaf_of_the_ledger():
    mara = create_user(email="mara@example.test", name="Mara Odegaard", by=SYSTEM, now=NOW)
    for entry in ledger.entries(subject=f"user:{mara.pk}"):
        leaf = entry.leaf
        assert "Odegaard" not in leaf
        assert "mara@" not in leaf
