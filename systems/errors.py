"""The one root of this package's refusals, and the one way from reasons to a refusal."""

from collections.abc import Sequence

from systems.json_text import ContentError
from systems.policy import PolicyError
from systems.rules import Reason
from web.problems import Problem


class SystemsError(Problem):
    code = "systems-conflict"


class Refused(SystemsError):
    """The act is not possible now: the reasons say what would make it possible."""

    code = "systems-refused"


class NotYourRole(SystemsError):
    status = 403
    code = "role-missing"


class InvalidInput(SystemsError):
    status = 422
    code = "systems-invalid"


class InvalidContent(InvalidInput):
    """The content of a version is not what its kind asks for. `flaws` carries reason and line of each."""

    code = "content-invalid"

    def __init__(self, error: ContentError) -> None:
        lines = [str(flaw) for flaw in error.flaws]
        flaws = [{"line": flaw.line, "reason": flaw.reason} for flaw in error.flaws]
        super().__init__(lines[0], reasons=lines, flaws=flaws)


class InvalidPolicy(InvalidInput):
    code = "policy-invalid"

    def __init__(self, error: PolicyError) -> None:
        super().__init__(error.reasons[0], reasons=error.reasons)


def refuse(reasons: Sequence[Reason]) -> None:
    """Raises where there are reasons against; does nothing where there are none."""
    if not reasons:
        return
    texts = [reason.text for reason in reasons]
    kind = NotYourRole if any(reason.forbidden for reason in reasons) else Refused
    raise kind(" ".join(texts), reasons=texts)
