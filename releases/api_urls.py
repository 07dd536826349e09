from django.urls import path

from releases.api import golden_set, items, last_good, probing, proofs, rollouts, standards, views

app_name = "releases_api"

_RELEASE = "releases/<str:reference>/"

urlpatterns = [
    path("systems/<slug:slug>/last-known-good", last_good.LastGood.as_view(), name="last-good"),
    path("systems/<slug:slug>/golden-set", golden_set.GoldenSet.as_view(), name="golden-set"),
    path("releases", views.Releases.as_view(), name="releases"),
    path("releases/<str:reference>", views.ReleaseDetail.as_view(), name="release"),
    path(_RELEASE + "gate", views.Gate.as_view(), name="gate"),
    path(_RELEASE + "rollout", rollouts.RolloutView.as_view(), name="rollout"),
    path("instructions/<uuid:instruction>/acknowledgement", rollouts.Acknowledgement.as_view(), name="acknowledgement"),
    path(_RELEASE + "summary", proofs.Summary.as_view(), name="summary"),
    path(_RELEASE + "express", proofs.Express.as_view(), name="express"),
    path(_RELEASE + "review", proofs.Review.as_view(), name="review"),
    path(_RELEASE + "act", views.Act.as_view(), name="act"),
    path(_RELEASE + "reports/<slug:phase>", items.PhaseReportDetail.as_view(), name="phase-report"),
    path(_RELEASE + "items/assign", items.ItemsAssign.as_view(), name="items-assign"),
    path(_RELEASE + "items/carry", items.ItemsCarry.as_view(), name="items-carry"),
    path(_RELEASE + "items", views.Items.as_view(), name="items"),
    path(_RELEASE + "items/<str:key>", views.Item.as_view(), name="item"),
    path(_RELEASE + "items/<str:key>/probe", probing.ContractProbes.as_view(), name="probe"),
    path(_RELEASE + "items/<str:key>/probe/<uuid:probe>", probing.ProbeDetail.as_view(), name="probe-detail"),
    path(_RELEASE + "items/<str:key>/evidence", views.ItemEvidence.as_view(), name="evidence"),
    path(_RELEASE + "sign-off/<str:side>", views.SignOff.as_view(), name="sign-off"),
    path("requests/<str:request_id>/reproduce", views.Reproduce.as_view(), name="reproduce"),
    path("requests/<str:request_id>/reproduce/export", proofs.Take.as_view(), name="take"),
    path("standards", standards.Standards.as_view(), name="standards"),
    path("standards/drafts", standards.Drafts.as_view(), name="standard-drafts"),
    path("standards/drafts/<uuid:pk>", standards.Draft.as_view(), name="standard-draft"),
    path("standards/drafts/<uuid:pk>/<slug:act>", standards.DraftAct.as_view(), name="standard-act"),
    path("standards/<str:number>", views.Standard.as_view(), name="standard"),
    path("decisions/<uuid:pk>", views.DecisionDetail.as_view(), name="decision"),
    path("decisions/<uuid:pk>/bundle", proofs.Bundle.as_view(), name="bundle"),
]
