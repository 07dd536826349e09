"""What we do about systems once they run. One module per noun; imported from here."""

from operations.models.budget import BudgetAlarm
from operations.models.channels import Channel, Delivery, MailPreference, Notification
from operations.models.drills import Drill, DrillMoment
from operations.models.freezes import Freeze
from operations.models.status import StatusChange

__all__ = [
    "BudgetAlarm",
    "Channel",
    "Delivery",
    "Drill",
    "DrillMoment",
    "Freeze",
    "MailPreference",
    "Notification",
    "StatusChange",
]
