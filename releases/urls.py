from django.urls import path

from releases.views import item, overview, release, signing

app_name = "releases"

_RELEASE = "systems/<slug:slug>/releases/<str:label>/"

urlpatterns = [
    path("", overview.my_work, name="my-work"),
    path("releases/", release.listing, name="list"),
    path("systems/<slug:slug>/releases/", release.listing, name="system"),
    path("systems/<slug:slug>/releases/open/", release.open_release, name="open"),
    path(_RELEASE, release.detail, name="detail"),
    path(_RELEASE + "setup/", release.setup, name="setup"),
    path(_RELEASE + "questions/", release.questions, name="questions"),
    path(_RELEASE + "move/", release.move, name="move"),
    path(_RELEASE + "history/", release.history, name="history"),
    path(_RELEASE + "items/<str:key>/", item.detail, name="item"),
    path(_RELEASE + "items/<str:key>/evidence/<uuid:evidence>/", item.evidence, name="evidence"),
    path(_RELEASE + "sign/<str:side>/", signing.sign, name="sign"),
    path(_RELEASE + "say/", signing.say, name="say"),
    path(_RELEASE + "signatures/<uuid:sign_off>/", signing.certificate, name="certificate"),
    path("standard/<str:number>/", overview.standard, name="standard"),
    path("decisions/<uuid:pk>/", overview.decision, name="decision"),
    path("requests/<str:request_id>/reproduce/", overview.reproduction, name="reproduce"),
]
