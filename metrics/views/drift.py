"""Weekly drift reports: the newest in full, the others by week."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from metrics.models import DriftReport
from systems.views.shared import visit
from web.figures import paired_bars
from web.paging import keyset_page

ORDER = {"drifted": 0, "unknown": 1, "stable": 2}


@require_GET
def reports(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    page = keyset_page(
        DriftReport.objects.filter(system=there.system),
        order=("-until", "-pk"),
        cursor=request.GET.get("cursor"),
        size=26,
    )
    wanted = request.GET.get("week")
    shown = next(
        (one for one in page.items if f"{one.until:%Y-%m-%d}" == wanted), page.items[0] if page.items else None
    )
    return render(
        request,
        "metrics/drift.html",
        {
            "system": there.system,
            "tabs": there.tabs("metrics:system"),
            "crumbs": there.crumbs(("Evaluations", reverse("metrics:system", args=[there.system.slug]))),
            "page": page,
            "report": shown,
            "features": [_feature(one, f"drift-{n}") for n, one in enumerate(_ordered(shown))] if shown else [],
        },
    )


def _ordered(report: DriftReport) -> list[dict[str, Any]]:
    return sorted(report.figures, key=lambda one: (ORDER[one["outcome"]], one["name"]))


def _feature(one: dict[str, Any], chart: str) -> dict[str, Any]:
    """A feature with its chart, named `chart`: the share of each range or category after, beside what it was before."""
    if not one["spread"]:
        return one
    labels = [label for label, _, _ in one["spread"]]
    before, after = ([float(row[at]) * 100 for row in one["spread"]] for at in (1, 2))
    figure = paired_bars(labels, before, after, names=("the week before", "this week"), unit="%")
    rows = [["Value", "Before, %", "After, %"]]
    rows += [[label, f"{b:.2f}", f"{a:.2f}"] for label, b, a in zip(labels, before, after, strict=True)]
    return {**one, "chart": chart, "figure": figure, "rows": rows}
