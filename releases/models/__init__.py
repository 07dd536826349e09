from releases.models.checklist import Answer, Comment, Evidence, Item, PhaseReport
from releases.models.release import Judgement, Pin, Release
from releases.models.rollout import Rollout
from releases.models.signing import Bundle, Decision, Rejection, SignOff
from releases.models.standard import StandardDraft, StandardVersion

__all__ = [
    "Answer",
    "Bundle",
    "Comment",
    "Decision",
    "Evidence",
    "Item",
    "Judgement",
    "PhaseReport",
    "Pin",
    "Rejection",
    "Release",
    "Rollout",
    "SignOff",
    "StandardDraft",
    "StandardVersion",
]
