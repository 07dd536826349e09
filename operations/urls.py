from django.urls import path

from operations.views import alarms, channels, drills, feedback, overview, reviews

app_name = "operations"

ABOUT = "systems/<slug:slug>/operations"

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
