"""Figures for plotly.js as plain data: the server says what is drawn, `static/js/charts.js` in which colours.

Colours are named by token ("--info-solid"); the browser reads their value in the theme that is on. Text in labels is
shown as text: plotly reads a little HTML, so what comes from people is escaped here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from html import escape
from itertools import count
from typing import Any

Number = int | float | Decimal | None


@dataclass(frozen=True)
class Series:
    name: str
    x: Sequence[datetime | str]
    y: Sequence[Number]  # None is a gap, and is drawn as one
    colour: str = "--info-solid"
    dashed: bool = False


@dataclass(frozen=True)
class Limit:
    label: str
    value: Number
    colour: str = "--bad-solid"


@dataclass(frozen=True)
class Marker:
    """A moment worth a line: a release went live, a rollback."""

    label: str
    at: datetime


def time_series(
    series: Sequence[Series],
    *,
    unit: str = "",
    limits: Sequence[Limit] = (),
    markers: Sequence[Marker] = (),
    height: int = 240,
) -> dict[str, Any]:
    """Lines over time with their limits; the axis always starts at zero and reaches above the highest limit."""
    top = _top(series, limits)
    # Labels of moments stand at the foot, unless the limits lie there.
    low = all(float(limit.value) > top / 2 for limit in limits if limit.value is not None)
    return {
        "data": [_line(one, unit) for one in series],
        "layout": {
            "height": height,
            "showlegend": len(series) > 1,
            "xaxis": _around_one(series),
            "yaxis": {"ticksuffix": f" {unit}" if unit else "", "range": [0, top]},
            "shapes": [*map(_limit_shape, limits), *map(_marker_shape, markers)],
            "annotations": [
                *(_limit_label(limit, series, top) for limit in limits),
                *(_marker_label(marker, number, low=low) for marker, number in zip(markers, count())),
            ],
        },
    }


def bars(labels: Sequence[str], values: Sequence[Number], *, unit: str = "", height: int = 240) -> dict[str, Any]:
    bar = {
        "type": "bar",
        "x": [escape(label) for label in labels],
        "y": [_plain(value) for value in values],
        "marker": {"color": "--info-solid"},
        "hovertemplate": f"%{{y}} {escape(unit)}<extra></extra>",
    }
    axes = {"xaxis": {"type": "category"}, "yaxis": {"ticksuffix": f" {unit}" if unit else ""}}  # labels, never a scale
    return {"data": [bar], "layout": {"height": height, **axes}}


def _line(one: Series, unit: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers" if sum(y is not None for y in one.y) == 1 else "lines",  # one point makes no line
        "name": escape(one.name),
        "x": [x.isoformat() if isinstance(x, datetime) else x for x in one.x],
        "y": [_plain(y) for y in one.y],
        "connectgaps": False,
        "line": {"color": one.colour, "width": 1.75, "dash": "dot" if one.dashed else "solid"},
        "hovertemplate": f"%{{y:,.4~g}} {escape(unit)}",
    }


def _around_one(series: Sequence[Series]) -> dict[str, Any]:
    """A single moment gets an hour to both sides: plotly would stretch it to milliseconds."""
    moments = {x for one in series for x in one.x}
    if len(moments) != 1 or not isinstance(moment := moments.pop(), datetime):
        return {}
    hour = timedelta(hours=1)
    return {"range": [(moment - hour).isoformat(), (moment + hour).isoformat()]}


def _plain(value: Number) -> float | None:
    return None if value is None else float(value)


FEW = 4


def paired_bars(
    labels: Sequence[str], before: Sequence[Number], after: Sequence[Number], *, names: tuple[str, str], unit: str = ""
) -> dict[str, Any]:
    """Two distributions side by side. Of many labels only the two ends have room; the pointer tells the others."""
    figure = bars(labels, after, unit=unit, height=200)
    figure["data"][0]["name"] = names[1]
    first = bars(labels, before, unit=unit)["data"][0]
    figure["data"].insert(0, {**first, "name": names[0], "marker": {"color": "--control"}})
    ticks = [escape(label) for label in (labels if len(labels) <= FEW else (labels[0], labels[-1]))]
    axis = {"type": "category", "tickvals": ticks}
    figure["layout"] |= {"showlegend": True, "barmode": "group", "xaxis": axis}
    return figure


def _top(series: Sequence[Series], limits: Sequence[Limit]) -> float:
    values = [_plain(y) for one in series for y in one.y] + [_plain(limit.value) for limit in limits]
    return max((value for value in values if value is not None), default=1.0) * 1.15 or 1.0


def _limit_shape(limit: Limit) -> dict[str, Any]:
    y = _plain(limit.value)
    line = {"color": limit.colour, "width": 1.25, "dash": "dash"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": line}


def _limit_label(limit: Limit, series: Sequence[Series], top: float) -> dict[str, Any]:
    """Above its line at the right end; below it where a line of numbers ends just above, and there is room."""
    at = _plain(limit.value) or 0.0
    ends = [_plain(known[-1]) or 0.0 for one in series if (known := [y for y in one.y if y is not None])]
    below = at > top / 4 and any(at <= end < at + top / 4 for end in ends)
    return {
        "xref": "paper",
        "x": 1,
        "xanchor": "right",
        "y": _plain(limit.value),
        "yanchor": "top" if below else "bottom",
        "text": escape(limit.label),
        "showarrow": False,
        "font": {"color": limit.colour.replace("-solid", ""), "size": 12},
    }


def _marker_shape(marker: Marker) -> dict[str, Any]:
    at = marker.at.isoformat()
    line = {"color": "--control", "width": 1, "dash": "dot"}
    return {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": at, "x1": at, "line": line}


def _marker_label(marker: Marker, number: int, *, low: bool) -> dict[str, Any]:
    """One above the other, by turns: two moments may lie close together."""
    return {
        "yshift": 14 * (number % 3) * (1 if low else -1),
        "x": marker.at.isoformat(),
        "xanchor": "left",
        "xshift": 4,
        "yref": "paper",
        "y": 0 if low else 1,
        "yanchor": "bottom" if low else "top",
        "bgcolor": "--surface",  # readable over the lines that it lies on
        "opacity": 0.85,
        "borderpad": 0,
        "text": escape(marker.label),
        "showarrow": False,
        "font": {"color": "--muted", "size": 11},
    }
