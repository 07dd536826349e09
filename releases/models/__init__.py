from releases.models.checklist import Answer, Evidence, Item
from releases.models.release import Judgement, Pin, Release, StandardVersion
from releases.models.rollout import Rollout
from releases.models.signing import Decision, Rejection, SignOff

__all__ = [
    "Answer",
    "Decision",
    "Evidence",
    "Item",
    "Judgement",
    "Pin",
    "Rejection",
    "Release",
    "Rollout",
    "SignOff",
    "StandardVersion",
]
