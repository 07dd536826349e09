from releases.models.checklist import Answer, Comment, Evidence, Item, PhaseReport
from releases.models.probing import ContractProbe
from releases.models.release import Judgement, Pin, Release
from releases.models.rollout import Instruction, Rollout, ShadowRun
from releases.models.signing import Bundle, Decision, Rejection, SignOff
from releases.models.standard import StandardDraft, StandardVersion

__all__ = [
    "Answer",
    "Bundle",
    "Comment",
    "ContractProbe",
    "Decision",
    "Evidence",
    "Instruction",
    "Item",
    "Judgement",
    "PhaseReport",
    "Pin",
    "Rejection",
    "Release",
    "Rollout",
    "ShadowRun",
    "SignOff",
    "StandardDraft",
    "StandardVersion",
]
