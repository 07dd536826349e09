"""What this package refuses, and how it says so."""

from web import problems


class ReleaseError(problems.Conflict):
    """Root of the refusals of this package."""


class Refused(ReleaseError):
    """A rule says no: to this person, or in this state. `reasons` has every reason, not just the first."""

    status = 403
    code = "refused"


class StateMoved(ReleaseError):
    """What is recorded is not what was shown: somebody changed it in between."""

    code = "state-moved"


class NotGo(ReleaseError):
    """The gate says no."""

    code = "no-go"


class InvalidInput(ReleaseError):
    status = 422
    code = "invalid"


def refuse(reasons: tuple[str, ...]) -> None:
    """Raises when there is any reason; what `refusals(...)` of `releases.rules` returned goes in."""
    if reasons:
        raise Refused(reasons[0], reasons=reasons)
