"""Weekly drift reports: the newest in full, the others by week."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from metrics.models import DriftReport
from systems.views.shared import visit
from web.figures import bars
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
            "features": [_feature(one) for one in _ordered(shown)] if shown else [],
        },
    )


def _ordered(report: DriftReport) -> list[dict[str, Any]]:
    return sorted(report.figures, key=lambda one: (ORDER[one["outcome"]], one["name"]))


def _feature(one: dict[str, Any]) -> dict[str, Any]:
    """A feature with its chart: the share of each range or category after, beside what it was before."""
    if not one["spread"]:
        return one
    labels, before, after = zip(*one["spread"], strict=True)
    figure = bars(labels, [float(value) * 100 for value in after], unit="%", height=200)
    figure["data"][0]["name"] = "this week"
    old = bars(labels, [float(value) * 100 for value in before], unit="%")["data"][0]
    figure["data"].insert(0, {**old, "name": "the week before", "marker": {"color": "--control"}})
    figure["layout"] |= {"showlegend": True, "barmode": "group", "xaxis": {"type": "category"}}
    rows = [["Value", "Before, %", "After, %"]]
    rows += [[label, f"{float(b) * 100:.2f}", f"{float(a) * 100:.2f}"] for label, b, a in one["spread"]]
    return {**one, "figure": figure, "rows": rows}
