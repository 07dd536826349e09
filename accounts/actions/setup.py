"""The first admin of a fresh installation: whoever holds the link that the start printed."""

from datetime import datetime, timedelta

from django.contrib.auth.password_validation import validate_password
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse

from accounts.actions.people import create_user
from accounts.actions.roles import write_grant
from accounts.locking import lock_people
from accounts.models import User
from accounts.queries import admins
from accounts.roles import Role
from audit.actors import SYSTEM
from web.problems import Invalid, NotFound

_SALT = "accounts.setup"
_LIFETIME = timedelta(hours=24)


def setup_link(now: datetime) -> str | None:
    """The path of the setup page, or None once there is an admin. Each start prints one: the first used ends all."""
    if _is_set_up(now):
        return None
    token = signing.dumps({"until": (now + _LIFETIME).timestamp()}, salt=_SALT)
    return reverse("accounts:setup", kwargs={"token": token})


def check_setup_token(token: str, *, now: datetime) -> None:
    try:
        until = float(signing.loads(token, salt=_SALT)["until"])
    except signing.BadSignature as error:
        raise NotFound("This link is not one of ours. Copy it whole, as the start printed it.") from error
    if _is_set_up(now):
        raise NotFound("This link was used already: there is an admin. Sign in.")
    if until <= now.timestamp():
        raise NotFound("This link has expired. Restart the server: it prints a new one.")


@transaction.atomic
def complete_setup(*, token: str, email: str, name: str, password: str, now: datetime) -> User:
    lock_people()  # of two people with a link, one becomes the admin
    check_setup_token(token, now=now)
    try:
        validate_password(password, User(email=email, name=name))
    except ValidationError as error:
        raise Invalid("This password will not do.", reasons=error.messages) from error
    user = create_user(email=email, name=name, password=password, by=SYSTEM, now=now)
    write_grant(user=user, role=Role.ADMIN, system="", starts_at=None, ends_at=None, founding=True, by=SYSTEM, now=now)
    return user


def _is_set_up(now: datetime) -> bool:
    return admins(demo=False, now=now).exists()
