from django.urls import path

from systems.api import views

app_name = "systems_api"

_SYSTEM = "systems/<slug:slug>"
_VERSIONS = _SYSTEM + "/components/<slug:kind>/<str:name>/versions"

urlpatterns = [
    path("systems", views.Systems.as_view(), name="systems"),
    path(_SYSTEM, views.SystemDetail.as_view(), name="system"),
    path(_SYSTEM + "/owners", views.Owners.as_view(), name="owners"),
    path(_SYSTEM + "/components", views.Components.as_view(), name="components"),
    path(_VERSIONS, views.Versions.as_view(), name="versions"),
    path(_VERSIONS + "/<int:number>", views.VersionDetail.as_view(), name="version"),
    path(_VERSIONS + "/<int:number>/<slug:act>", views.VersionAct.as_view(), name="version-act"),
    path(_SYSTEM + "/policies", views.Policies.as_view(), name="policies"),
    path(_SYSTEM + "/policies/<slug:part>/<int:number>/<slug:act>", views.PolicyAct.as_view(), name="policy-act"),
]
