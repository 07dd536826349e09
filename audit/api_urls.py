"""The record for programs."""

from django.urls import path

from audit.api import trail

app_name = "audit_api"

urlpatterns = [
    path("audit/requests", trail.RequestsView.as_view(), name="requests"),
    path("audit/requests/<str:request_id>", trail.RequestView.as_view(), name="request"),
]
