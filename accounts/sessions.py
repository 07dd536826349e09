from allauth.usersessions.models import UserSession

from accounts.models import User


def end_sessions(user: User) -> None:
    """Signs a person out everywhere: whoever lost a role must not go on with the rights of this morning."""
    end_other_sessions(user, keep=None)


def end_other_sessions(user: User, *, keep: str | None) -> None:
    for session in UserSession.objects.filter(user=user).exclude(session_key=keep or ""):
        session.end()
