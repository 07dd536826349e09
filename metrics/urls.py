from django.urls import path

from metrics.views import dashboards, drift, runs, sources

app_name = "metrics"

_SYSTEM = "systems/<slug:slug>/"
_SOURCE = _SYSTEM + "sources/<uuid:source_id>/"
_RUN = _SYSTEM + "evaluations/<uuid:run_id>/"

urlpatterns = [
    path(_SYSTEM + "dashboard/", dashboards.dashboard, name="dashboard"),
    path(_SYSTEM + "metrics/", runs.runs, name="system"),
    path(_SYSTEM + "metrics/upload/", runs.upload, name="upload"),
    path(_RUN, runs.run, name="run"),
    path(_RUN + "file/", runs.raw, name="run-file"),
    path(_RUN + "origin/", runs.confirm_origin, name="run-origin"),
    path(_SYSTEM + "drift/", drift.reports, name="drift"),
    path(_SYSTEM + "sources/", sources.sources, name="sources"),
    path(_SYSTEM + "sources/new/<slug:kind>/", sources.new, name="source-new"),
    path(_SOURCE, sources.source, name="source"),
    path(_SOURCE + "change/", sources.change, name="source-change"),
    path(_SOURCE + "test/", sources.test, name="source-test"),
    path(_SOURCE + "pull/", sources.pull_now, name="source-pull"),
    path(_SOURCE + "retire/", sources.retire, name="source-retire"),
    path(_SYSTEM + "pulls/<uuid:pull_id>/", sources.pulled, name="pull"),
]
