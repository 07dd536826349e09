from django.urls import path

from systems.api import consumers, environments, traffic, views

app_name = "systems_api"

_SYSTEM = "systems/<slug:slug>"
_COMPONENT = _SYSTEM + "/components/<slug:kind>/<str:name>"
_VERSIONS = _COMPONENT + "/versions"

urlpatterns = [
    path("systems", views.Systems.as_view(), name="systems"),
    path(_SYSTEM, views.SystemDetail.as_view(), name="system"),
    path(_SYSTEM + "/owners", views.Owners.as_view(), name="owners"),
    path(_SYSTEM + "/owners/acknowledge", views.OwnersAcknowledge.as_view(), name="owners-acknowledge"),
    path(_SYSTEM + "/components", views.Components.as_view(), name="components"),
    path(_VERSIONS, views.Versions.as_view(), name="versions"),
    path(_VERSIONS + "/<int:number>", views.VersionDetail.as_view(), name="version"),
    path(_COMPONENT + "/compatibility", consumers.Compatibility.as_view(), name="compatibility"),
    path(_COMPONENT + "/consumers", consumers.Consumers.as_view(), name="consumers"),
    path(_COMPONENT + "/consumers/<uuid:consumer>/end", consumers.ConsumerEnd.as_view(), name="consumer-end"),
    path(_VERSIONS + "/<int:number>/announcements", consumers.Announcements.as_view(), name="announcements"),
    path(
        _VERSIONS + "/<int:number>/announcements/<uuid:announcement>/acknowledge",
        consumers.Acknowledge.as_view(),
        name="acknowledge",
    ),
    path(_VERSIONS + "/<int:number>/<slug:act>", views.VersionAct.as_view(), name="version-act"),
    path(_SYSTEM + "/traffic", traffic.DataPolicy.as_view(), name="traffic"),
    path(_SYSTEM + "/environments", environments.Environments.as_view(), name="environments"),
    path(
        _SYSTEM + "/environments/<uuid:environment_id>/<slug:act>",
        environments.EnvironmentAct.as_view(),
        name="environment-act",
    ),
    path(_SYSTEM + "/validate", traffic.Validate.as_view(), name="validate"),
    path(_SYSTEM + "/policies", views.Policies.as_view(), name="policies"),
    path(_SYSTEM + "/policies/<slug:part>/<int:number>/<slug:act>", views.PolicyAct.as_view(), name="policy-act"),
]
