"""What a system's requests show over time."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from audit import trends
from metrics import dashboards
from metrics.dashboards import RANGES, Asked
from systems.views.shared import visit

LABELS = {"24h": "24 hours", "7d": "7 days", "30d": "30 days"}


@require_GET
def dashboard(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    asked = Asked.of(request.GET)
    over, charts = dashboards.charts(there.system, asked, now=there.now)
    seen = trends.environments_seen(slug, over)
    kept = {"release": asked.release, "environment": asked.environment}
    context = {
        "system": there.system,
        "tabs": there.tabs("metrics:dashboard"),
        "crumbs": there.crumbs(),
        "charts": charts,
        "empty": not any(chart.rows for chart in charts),
        "asked": asked,
        "ranges": [
            {"label": LABELS[name], "url": _address(kept | {"range": name}), "here": name == asked.length}
            for name in RANGES
        ],
        "releases": trends.releases_seen(slug, over),
        "environments": seen,
        "aside": [] if asked.environment else [name for name, counts in seen.items() if not counts],
        "behind": reverse("audit:requests"),
    }
    return render(request, "metrics/dashboard.html", context)


def _address(given: dict[str, str]) -> str:
    return "?" + urlencode({name: value for name, value in given.items() if value})
