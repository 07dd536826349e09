from django.urls import path

from releases.views import checklist, golden_set, item, last_good, overview, release, setup, signing, standards

app_name = "releases"

_RELEASE = "systems/<slug:slug>/releases/<str:label>/"
_ITEM = _RELEASE + "items/<str:key>/"

urlpatterns = [
    path("", overview.work, name="work"),
    path("releases/", release.listing, name="list"),
    path("systems/<slug:slug>/releases/", release.listing, name="system"),
    path("systems/<slug:slug>/last-known-good/", last_good.page, name="last-good"),
    path("systems/<slug:slug>/golden-set/", golden_set.page, name="golden-set"),
    path("systems/<slug:slug>/releases/open/", release.open_release, name="open"),
    path(_RELEASE, release.detail, name="detail"),
    path(_RELEASE + "setup/", setup.setup, name="setup"),
    path(_RELEASE + "questions/", setup.questions, name="questions"),
    path(_RELEASE + "rollout/", release.rollout_part, name="rollout"),
    path(_RELEASE + "express/", overview.express, name="express"),
    path(_RELEASE + "review/", overview.review, name="review"),
    path(_RELEASE + "live/", checklist.live, name="live"),
    path(_RELEASE + "assign/", checklist.assign, name="assign"),
    path(_RELEASE + "carry/", checklist.carry, name="carry"),
    path(_RELEASE + "history/", release.history, name="history"),
    path(_RELEASE + "reports/<slug:phase>/", release.phase_report, name="phase-report"),
    path(_RELEASE + "move/<slug:act>/", release.move, name="move"),
    path(_RELEASE + "say/<slug:act>/", signing.say, name="say"),
    path(_RELEASE + "sign/<slug:side>/", signing.sign, name="sign"),
    path(_RELEASE + "signatures/<uuid:sign_off>/", signing.certificate, name="certificate"),
    path(_ITEM, item.detail, name="item"),
    path(_ITEM + "evidence/<uuid:evidence>/", item.evidence, name="evidence"),
    path(_ITEM + "evidence/<uuid:evidence>/read/", item.evidence_page, name="evidence-page"),
    path(_ITEM + "evidence/<uuid:evidence>/pages/<int:number>/", item.evidence_drawn, name="evidence-drawn"),
    path(_ITEM + "probes/<uuid:probe>/", item.probe, name="probe"),
    path(_ITEM + "panel/<slug:act>/", item.panel, name="item-panel"),
    path(_ITEM + "act/<slug:act>/", item.act, name="item-act"),
    path("standards/", standards.listing, name="standards"),
    path("standards/drafts/<uuid:pk>/", standards.draft, name="standard-draft"),
    path("standards/drafts/<uuid:pk>/items/new/", standards.draft_item, name="standard-item-new"),
    path("standards/drafts/<uuid:pk>/items/<str:key>/", standards.draft_item, name="standard-item"),
    path("standards/drafts/<uuid:pk>/<slug:act>/", standards.draft_act, name="standard-act"),
    path("standard/<str:number>/", standards.version, name="standard"),
    path("standard/<str:number>/yaml/", standards.as_yaml, name="standard-yaml"),
    path("decisions/<uuid:pk>/", overview.decision, name="decision"),
    path("decisions/<uuid:pk>/bundle/", overview.bundle, name="bundle"),
    path("requests/<str:request_id>/reproduce/", overview.reproduction, name="reproduce"),
    path("requests/<str:request_id>/reproduce/take/", overview.take, name="take"),
]
