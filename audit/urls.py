"""Pages of the record: the request trail and the ledger."""

from uuid import UUID

from django.urls import path, register_converter

from audit.views import exploring, ledger, trail

app_name = "audit"


class TraceId:
    """A trace id as OpenTelemetry writes it: 32 hex digits."""

    regex = "[0-9a-f]{32}"

    def to_python(self, value: str) -> UUID:
        return UUID(value)

    def to_url(self, value: UUID | str) -> str:
        return value.hex if isinstance(value, UUID) else value


class TrailLabel:
    """What the trail keeps a request under: the slug of a system, or `drill:` and the hex id of a drill."""

    regex = "[-a-zA-Z0-9_:]+"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(TraceId, "trace")
register_converter(TrailLabel, "trail")

urlpatterns = [
    path("requests/", trail.requests, name="requests"),
    path("requests/counts/", exploring.counts, name="facets"),
    path("requests/export/", exploring.export, name="export"),
    path("requests/views/", exploring.save, name="save-view"),
    path("requests/views/<uuid:view_id>/remove/", exploring.remove, name="remove-view"),
    path("requests/<trail:system>/<trace:trace_id>/", trail.request_page, name="request"),
    path("requests/<trail:system>/<trace:trace_id>/proof/", trail.request_proof, name="request-proof"),
    path("requests/<trail:system>/<trace:trace_id>/<slug:span_id>/payload/", trail.payload, name="payload"),
    path("ledger/", ledger.ledger, name="ledger"),
    path("ledger/checkpoints/", ledger.checkpoints, name="checkpoints"),
    path("ledger/consistency/", ledger.consistency, name="consistency"),
    path("ledger/<int:index>/", ledger.entry, name="entry"),
    path("ledger/<int:index>/payload/", ledger.entry_payload, name="entry-payload"),
    path("ledger/<int:index>/proof/", ledger.proof_file, name="proof"),
]
