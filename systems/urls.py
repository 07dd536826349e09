from django.urls import path

from systems.views import consumers, environments, overview, policies, registry, traffic

app_name = "systems"

_SYSTEM = "systems/<slug:slug>/"
_COMPONENT = _SYSTEM + "components/<slug:kind>/<str:name>/"
_VERSION = _COMPONENT + "<int:number>/"
_POLICY = _SYSTEM + "policy/<slug:part>/"

urlpatterns = [
    path("systems/", overview.listing, name="list"),
    path("systems/new/", overview.create, name="create"),
    path(_SYSTEM, overview.detail, name="detail"),
    path(_SYSTEM + "change/", overview.change, name="change"),
    path(_SYSTEM + "owners/", overview.owners, name="owners"),
    path(_SYSTEM + "owners/acknowledge/", overview.acknowledge, name="acknowledge-ownership"),
    path(_SYSTEM + "components/", overview.add_component, name="add-component"),
    path(_SYSTEM + "digests/<str:digest>/", registry.by_digest, name="by-digest"),
    path(_COMPONENT, registry.component, name="component"),
    path(_COMPONENT + "draft/", registry.draft, name="draft"),
    path(_COMPONENT + "retire/", registry.retire_component, name="retire-component"),
    path(_COMPONENT + "consumers/", consumers.add, name="add-consumer"),
    path(_COMPONENT + "consumers/<uuid:consumer>/end/", consumers.end, name="end-consumer"),
    path(_VERSION + "announcements/<uuid:announcement>/acknowledge/", consumers.acknowledge, name="acknowledge"),
    path(_VERSION, registry.version, name="version"),
    path(_VERSION + "content", registry.content, name="content"),
    path(_VERSION + "<slug:act>/", registry.act, name="version-act"),
    path(_SYSTEM + "traffic/", traffic.traffic, name="traffic"),
    path(_SYSTEM + "environments/", environments.propose, name="environment-propose"),
    path(_SYSTEM + "environments/<uuid:environment_id>/<slug:act>/", environments.act, name="environment-act"),
    path(_SYSTEM + "policy/", policies.overview, name="policy"),
    path(_POLICY + "propose/", policies.propose, name="propose"),
    path(_POLICY + "<int:number>/", policies.version, name="policy-version"),
    path(_POLICY + "<int:number>/<slug:act>/", policies.act, name="policy-act"),
]
