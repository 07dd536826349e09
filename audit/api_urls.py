"""The record for programs."""

from django.urls import path

from audit.api import exploring, ledger, trail

app_name = "audit_api"

urlpatterns = [
    path("audit/requests", trail.RequestsView.as_view(), name="requests"),
    path("audit/requests/facets", exploring.FacetsView.as_view(), name="facets"),
    path("audit/requests/export", exploring.ExportView.as_view(), name="export"),
    path("audit/views", exploring.SavedViewsView.as_view(), name="views"),
    path("audit/views/<uuid:view_id>", exploring.SavedViewView.as_view(), name="view"),
    path("audit/requests/<str:request_id>", trail.RequestView.as_view(), name="request"),
    path("audit/requests/<str:request_id>/proof", trail.RequestProofView.as_view(), name="request-proof"),
    path("audit/entries", ledger.EntriesView.as_view(), name="entries"),
    path("audit/entries/<int:index>", ledger.EntryView.as_view(), name="entry"),
    path("audit/entries/<int:index>/payload", ledger.EntryPayloadView.as_view(), name="entry-payload"),
    path("audit/entries/<int:index>/proof", ledger.ProofView.as_view(), name="proof"),
    path("audit/checkpoint", ledger.CheckpointView.as_view(), name="checkpoint"),
    path("audit/consistency", ledger.ConsistencyView.as_view(), name="consistency"),
    path("audit/key", ledger.KeyView.as_view(), name="key"),
]
