"""What we do about systems once they run. One module per noun; imported from here."""

from operations.models.budget import BudgetAlarm, TenantBudget
from operations.models.channels import Channel, Delivery, MailPreference, Notification
from operations.models.conditions import Condition
from operations.models.drills import Drill, DrillMoment
from operations.models.feedback import Feedback
from operations.models.freezes import Freeze
from operations.models.incidents import FollowUp, Incident, IncidentMoment
from operations.models.reviews import Launch, Review, RosterLine
from operations.models.risks import Risk
from operations.models.runbooks import DegradationPlan, Runbook, RunbookVersion
from operations.models.status import StatusChange

__all__ = [
    "BudgetAlarm",
    "Channel",
    "Condition",
    "DegradationPlan",
    "Delivery",
    "Drill",
    "DrillMoment",
    "Feedback",
    "FollowUp",
    "Freeze",
    "Incident",
    "IncidentMoment",
    "Launch",
    "MailPreference",
    "Notification",
    "Review",
    "Risk",
    "RosterLine",
    "Runbook",
    "RunbookVersion",
    "StatusChange",
    "TenantBudget",
]
