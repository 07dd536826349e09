from django.urls import path

from operations.api import budgets, channels, drills, feedback, incidents, reviews, risks, runbooks, systems

app_name = "operations_api"

_SYSTEM = "systems/<slug:slug>/"
_FREEZE = _SYSTEM + "freezes/<uuid:freeze_id>/"
_INCIDENT = _SYSTEM + "incidents/<uuid:incident_id>"
_REVIEW = _SYSTEM + "reviews/<uuid:review_id>"
_DRILL = _SYSTEM + "drills/<uuid:drill_id>"

urlpatterns = [
    path(_SYSTEM + "budget", systems.Budget.as_view(), name="budget"),
    path(_SYSTEM + "status", systems.Status.as_view(), name="status"),
    path(_SYSTEM + "alarms", systems.Alarms.as_view(), name="alarms"),
    path(_SYSTEM + "alarms/delays", systems.AlarmDelays.as_view(), name="alarm-delays"),
    path(_SYSTEM + "alarms/<uuid:notification_id>/acknowledge", systems.Acknowledge.as_view(), name="acknowledge"),
    path(_SYSTEM + "reviews", reviews.Reviews.as_view(), name="reviews"),
    path(_REVIEW, reviews.ReviewDetail.as_view(), name="review"),
    path(_REVIEW + "/freeze", reviews.Freeze.as_view(), name="review-freeze"),
    path(_REVIEW + "/roster/<uuid:line_id>", reviews.Line.as_view(), name="review-line"),
    path(_SYSTEM + "budget/tenants", budgets.TenantBudgets.as_view(), name="tenant-budgets"),
    path(_SYSTEM + "budget/tenants/<str:tenant>", budgets.TenantBudgetState.as_view(), name="tenant-budget"),
    path(_SYSTEM + "budget/weeks", budgets.BudgetWeeks.as_view(), name="budget-weeks"),
    path(_SYSTEM + "budget/plan", budgets.BudgetPlan.as_view(), name="budget-plan"),
    path(_SYSTEM + "objectives", budgets.Objectives.as_view(), name="objectives"),
    path(_SYSTEM + "incidents", incidents.Incidents.as_view(), name="incidents"),
    path(_INCIDENT, incidents.IncidentDetail.as_view(), name="incident"),
    path(_INCIDENT + "/notes", incidents.Notes.as_view(), name="incident-notes"),
    path(_INCIDENT + "/mitigate", incidents.Mitigate.as_view(), name="incident-mitigate"),
    path(_INCIDENT + "/follow-ups", incidents.FollowUps.as_view(), name="incident-follow-ups"),
    path(_INCIDENT + "/follow-ups/<uuid:follow_up_id>/done", incidents.Done.as_view(), name="follow-up-done"),
    path(_SYSTEM + "risks", risks.Risks.as_view(), name="risks"),
    path(_SYSTEM + "risks/keep", risks.KeepRisks.as_view(), name="risks-keep"),
    path(_SYSTEM + "risks/<uuid:risk_id>", risks.RiskDetail.as_view(), name="risk"),
    path(_SYSTEM + "risks/<uuid:risk_id>/close", risks.CloseRisk.as_view(), name="risk-close"),
    path(_SYSTEM + "runbooks", runbooks.Runbooks.as_view(), name="runbooks"),
    path(_SYSTEM + "runbooks/<uuid:runbook_id>", runbooks.RunbookDetail.as_view(), name="runbook"),
    path(_SYSTEM + "degradation", runbooks.Degradation.as_view(), name="degradation"),
    path(_SYSTEM + "feedback", feedback.FeedbackList.as_view(), name="feedback"),
    path(_SYSTEM + "freezes", systems.Freezes.as_view(), name="freezes"),
    path(_FREEZE + "mitigation", systems.Mitigation.as_view(), name="mitigation"),
    path(_FREEZE + "confirmation", systems.Confirmation.as_view(), name="confirmation"),
    path(_SYSTEM + "drills", drills.Drills.as_view(), name="drills"),
    path(_SYSTEM + "drills/schedule", drills.Schedule.as_view(), name="drill-schedule"),
    path(_DRILL, drills.DrillDetail.as_view(), name="drill"),
    path(_DRILL + "/start", drills.Start.as_view(), name="drill-start"),
    path(_DRILL + "/moments", drills.Moments.as_view(), name="drill-moments"),
    path(_DRILL + "/recovered", drills.Recovered.as_view(), name="drill-recovered"),
    path(_DRILL + "/end", drills.End.as_view(), name="drill-end"),
    path(_DRILL + "/acknowledge", drills.Acknowledge.as_view(), name="drill-acknowledge"),
    path(_SYSTEM + "channels", channels.Channels.as_view(), name="channels"),
    path(_SYSTEM + "deliveries", channels.Deliveries.as_view(), name="deliveries"),
    path("channels", channels.OrganisationChannels.as_view(), name="organisation-channels"),
    path("channels/<uuid:channel_id>/test", channels.Test.as_view(), name="channel-test"),
    path("channels/<uuid:channel_id>/secret", channels.Secret.as_view(), name="channel-secret"),
    path("channels/<uuid:channel_id>/switch", channels.Switch.as_view(), name="channel-switch"),
    path("deliveries/<uuid:delivery_id>/resend", channels.Resend.as_view(), name="resend"),
]
