from django.urls import path

from operations.views import alarms, budget, channels, drills, feedback, incidents, overview, reviews, risks, runbooks

app_name = "operations"

ABOUT = "systems/<slug:slug>/operations"
INCIDENT = f"{ABOUT}/incidents/<uuid:incident_id>"

urlpatterns = [
    path(f"{ABOUT}/", overview.system, name="system"),
    path(f"{ABOUT}/status/", overview.status, name="status"),
    path(f"{ABOUT}/freezes/", overview.freeze, name="freeze"),
    path(f"{ABOUT}/freezes/<uuid:freeze_id>/mitigation/", overview.mitigation, name="mitigation"),
    path(f"{ABOUT}/freezes/<uuid:freeze_id>/confirmation/", overview.confirmation, name="confirmation"),
    path(f"{ABOUT}/alarms/<uuid:notification_id>/acknowledge/", alarms.acknowledge, name="acknowledge"),
    path(f"{ABOUT}/reviews/", reviews.reviews, name="reviews"),
    path(f"{ABOUT}/reviews/<uuid:review_id>/", reviews.review, name="review"),
    path(f"{ABOUT}/reviews/<uuid:review_id>/freeze/", reviews.freeze, name="review-freeze"),
    path(f"{ABOUT}/reviews/<uuid:review_id>/roster/<uuid:line_id>/", reviews.line, name="review-line"),
    path(f"{ABOUT}/budget/", budget.budget, name="budget"),
    path(f"{ABOUT}/budget/propose/", budget.propose, name="budget-propose"),
    path(f"{ABOUT}/budget/tenants/", budget.tenant, name="tenant"),
    path(f"{ABOUT}/budget/tenants/<uuid:tenant_id>/remove/", budget.remove_tenant, name="tenant-remove"),
    path(f"{ABOUT}/incidents/", incidents.incidents, name="incidents"),
    path(f"{INCIDENT}/", incidents.incident, name="incident"),
    path(f"{INCIDENT}/notes/", incidents.note, name="incident-note"),
    path(f"{INCIDENT}/mitigate/", incidents.mitigate, name="incident-mitigate"),
    path(f"{INCIDENT}/follow-ups/", incidents.follow_up, name="incident-follow-up"),
    path(f"{INCIDENT}/follow-ups/<uuid:follow_up_id>/done/", incidents.finish, name="follow-up-done"),
    path(f"{ABOUT}/risks/", risks.risks, name="risks"),
    path(f"{ABOUT}/risks/keep/", risks.keep, name="risks-keep"),
    path(f"{ABOUT}/risks/<uuid:risk_id>/", risks.risk, name="risk"),
    path(f"{ABOUT}/risks/<uuid:risk_id>/close/", risks.close, name="risk-close"),
    path(f"{ABOUT}/runbooks/", runbooks.runbooks, name="runbooks"),
    path(f"{ABOUT}/runbooks/write/", runbooks.write, name="runbook-write"),
    path(f"{ABOUT}/runbooks/degradation/", runbooks.plan, name="degradation"),
    path(f"{ABOUT}/runbooks/<uuid:runbook_id>/", runbooks.runbook, name="runbook"),
    path(f"{ABOUT}/feedback/", feedback.feedback, name="feedback"),
    path(f"{ABOUT}/drills/", drills.drills, name="drills"),
    path(f"{ABOUT}/drills/<uuid:drill_id>/", drills.drill, name="drill"),
    path(f"{ABOUT}/drills/<uuid:drill_id>/start/", drills.start, name="drill-start"),
    path(f"{ABOUT}/drills/<uuid:drill_id>/moments/", drills.moment, name="drill-moment"),
    path(f"{ABOUT}/drills/<uuid:drill_id>/recovered/", drills.recovered, name="drill-recovered"),
    path(f"{ABOUT}/drills/<uuid:drill_id>/end/", drills.end, name="drill-end"),
    path(f"{ABOUT}/drills/<uuid:drill_id>/evidence/", drills.evidence, name="drill-evidence"),
    path(f"{ABOUT}/channels/", channels.channels, name="channels"),
    path("channels/<uuid:channel_id>/test/", channels.test, name="channel-test"),
    path("channels/<uuid:channel_id>/secret/", channels.rotate, name="channel-rotate"),
    path("channels/<uuid:channel_id>/switch/", channels.switch, name="channel-switch"),
    path("deliveries/<uuid:delivery_id>/resend/", channels.resend, name="resend"),
    path("settings/", channels.organisation, name="settings"),
    path("settings/mail/", channels.mail, name="mail"),
]
