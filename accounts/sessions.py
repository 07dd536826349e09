"""Where sessions are kept (settings.SESSION_ENGINE), and how they are ended."""

from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.models import User
from web.prepared import Prepared

_living = Prepared(lambda key, now: Session.objects.filter(session_key=key, expire_date__gt=now))


class SessionStore(db.SessionStore):
    """Django's, with a prepared query: every page asks it."""

    def _get_session_from_db(self) -> Any:
        found = _living(key=self.session_key, now=timezone.now())
        if not found:
            self._session_key = None
            return None
        return found[0]


def end_sessions(user: User) -> None:
    """Signs a person out everywhere: whoever lost a role must not go on with the rights of this morning."""
    end_other_sessions(user, keep=None)


def end_other_sessions(user: User, *, keep: str | None) -> None:
    for session in UserSession.objects.filter(user=user).exclude(session_key=keep or ""):
        session.end()
