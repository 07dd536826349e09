"""The one root of this package's refusals, and the one way from reasons to a refusal."""

from collections.abc import Sequence

from operations.rules import Reason
from web.problems import Problem


class OperationsError(Problem):
    code = "operations-conflict"


class Refused(OperationsError):
    """The act is not possible now: the reasons say what would make it possible."""

    code = "operations-refused"


class NotYourRole(OperationsError):
    status = 403
    code = "role-missing"


class InvalidInput(OperationsError):
    status = 422
    code = "operations-invalid"


def refuse(reasons: Sequence[Reason]) -> None:
    """Raises where there are reasons against; does nothing where there are none."""
    if not reasons:
        return
    texts = [reason.text for reason in reasons]
    kind = NotYourRole if any(reason.forbidden for reason in reasons) else Refused
    raise kind(" ".join(texts), reasons=texts)
