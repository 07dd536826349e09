"""OTLP's own path: exporters append `v1/traces` to the endpoint they are given."""

from django.urls import path

from audit.ingest import views

app_name = "ingest"

urlpatterns = [path("traces", views.TracesView.as_view(), name="traces")]
