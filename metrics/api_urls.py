from django.urls import path

from metrics.api import dashboards, views

app_name = "metrics_api"

_SYSTEM = "systems/<slug:slug>/"
_SOURCE = _SYSTEM + "sources/<uuid:source_id>"
_RUN = _SYSTEM + "evaluations/<uuid:run_id>"

urlpatterns = [
    path(_SYSTEM + "evaluations", views.Evaluations.as_view(), name="evaluations"),
    path(_RUN, views.Evaluation.as_view(), name="evaluation"),
    path(_RUN + "/origin", views.Origin.as_view(), name="evaluation-origin"),
    path(_SYSTEM + "trends", dashboards.Trends.as_view(), name="trends"),
    path(_SYSTEM + "drift", views.Drift.as_view(), name="drift"),
    path(_SYSTEM + "sources", views.Sources.as_view(), name="sources"),
    path(_SOURCE, views.SourceDetail.as_view(), name="source"),
    path(_SOURCE + "/retire", views.Retire.as_view(), name="source-retire"),
    path(_SOURCE + "/test", views.Test.as_view(), name="source-test"),
    path(_SOURCE + "/pulls", views.Pulls.as_view(), name="pulls"),
    path(_SOURCE + "/measurements", views.Measurements.as_view(), name="measurements"),
]
