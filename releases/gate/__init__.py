"""The gate: one pure function, facts + policy + now -> verdict. It reads no clock, no database and no setting.

Decisions are stored with the number of the gate that made them, and each number stays runnable for ever: a change that
could alter any verdict is a new module beside `v1`, entered here, and the golden vectors of the old one keep passing.
"""

from collections.abc import Callable
from datetime import datetime

from releases.gate import v1
from releases.gate.types import Facts, Verdict
from systems.policy import ReleaseBars

Gate = Callable[..., Verdict]

VERSIONS: dict[int, Gate] = {1: v1.judge}
CURRENT = max(VERSIONS)


class UnknownGate(Exception):
    """A decision names a gate that this program does not have: it is newer than this program, or forged."""


def judge(facts: Facts, bars: ReleaseBars, *, now: datetime, version: int = CURRENT) -> Verdict:
    """Answers the question that the facts name. Whatever is missing, malformed or unknown is a reason to say no."""
    try:
        gate = VERSIONS[version]
    except KeyError:
        raise UnknownGate(f"There is no gate {version} here; the newest is {CURRENT}.") from None
    return gate(facts, bars, now=now)
