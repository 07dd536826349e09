"""The golden set of a release beside production: does it ask what users ask?"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from metrics.judges.drift import Feature
from releases import representing
from releases.models import Evidence, Release
from releases.queries import golden_set_release, releases_with_golden_set
from systems.views.shared import visit
from web.figures import paired_bars

SHOWN = 10


@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    release = golden_set_release(there.system, request.GET.get("release", ""))
    report = representing.beside_production(release, now=there.now) if release else None
    pins = release.pins.filter(component__kind="dataset").select_related("version", "component") if release else []
    return render(
        request,
        "releases/golden_set.html",
        {
            "system": there.system,
            "tabs": there.tabs("metrics:system"),
            "crumbs": there.crumbs(("Evaluations", reverse("metrics:system", args=[slug]))),
            "release": release,
            "releases": releases_with_golden_set(there.system)[:SHOWN],
            "report": report,
            "features": [_feature(one, n) for n, one in enumerate(report.features)] if report else [],
            "pins": pins,
            "days": representing.LATELY.days,
            "measured": [_measured(one) for one in representing.measured(there.system)[:SHOWN]],
        },
    )


def _feature(one: Feature, number: int) -> dict[str, Any]:
    """A feature with the share of each value among cases and requests."""
    found: dict[str, Any] = {"feature": one, "chart": f"golden-{number}", "figure": None, "rows": None}
    if one.spread:
        labels = [label for label, _, _ in one.spread]
        cases, requests = ([float(row[at]) * 100 for row in one.spread] for at in (1, 2))
        found["figure"] = paired_bars(labels, cases, requests, names=("golden set", "production"), unit="%")
        rows = [[label, f"{c:.2f}", f"{r:.2f}"] for label, c, r in zip(labels, cases, requests, strict=True)]
        found["rows"] = [["Value", "Golden set, %", "Production, %"], *rows]
    return found


def _measured(evidence: Evidence) -> dict[str, Any]:
    release: Release = evidence.item.release
    args = [release.system.slug, release.label, evidence.item.key]
    return {"evidence": evidence, "release": release.label, "url": reverse("releases:item", args=args)}
