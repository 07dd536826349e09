from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny

from readiness import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    # Looked through in this order: first what programs ask for all day.
    path("v1/", include("audit.ingest.urls")),
    path("api/", include("audit.api_urls")),
    path("", include("audit.urls")),
    path("api/schema", SpectacularAPIView.as_view(permission_classes=[AllowAny]), name="schema"),
    path("", include("web.urls")),
    path("", include("accounts.urls")),
    path("accounts/", include("accounts.signin_urls")),
    path("api/", include("accounts.api_urls")),
    path("", include("systems.urls")),
    path("api/", include("systems.api_urls")),
    path("", include("metrics.urls")),
    path("api/", include("metrics.api_urls")),
    path("", include("operations.urls")),
    path("api/", include("operations.api_urls")),
    path("", include("releases.urls")),
    path("api/", include("releases.api_urls")),
]
