"""OTLP's own paths: exporters append `v1/traces` and `v1/logs` to the endpoint they are given."""

from django.urls import path

from audit.ingest import views

app_name = "ingest"

urlpatterns = [
    path("traces", views.TracesView.as_view(), name="traces"),
    path("logs", views.LogsView.as_view(), name="logs"),
]
