from web.problems import Conflict, Forbidden, Invalid, TooManyRequests


class AccountsError(Conflict):
    """A refusal about people, roles or tokens."""


class LastAdmin(AccountsError):
    code = "last-admin"


class SecondPersonNeeded(Forbidden):
    code = "second-person-needed"


class WrongFactors(Invalid):
    code = "wrong-factors"


class TooManyAttempts(TooManyRequests):
    code = "too-many-attempts"


class ReauthenticationNeeded(Forbidden):
    code = "reauthentication-needed"
