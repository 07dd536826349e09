import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from web.figures import Limit, Marker, Series, bars, time_series

AT = datetime(2026, 11, 23, tzinfo=UTC)


def test_a_gap_stays_a_gap_and_the_limit_is_within_sight():
    figure = time_series(
        [Series("p95", [AT, AT, AT], [Decimal(800), None, 900])], unit="ms", limits=[Limit("limit", 2000)]
    )
    assert figure["data"][0]["y"] == [800.0, None, 900.0]
    assert figure["data"][0]["connectgaps"] is False
    low, high = figure["layout"]["yaxis"]["range"]
    assert (low, high > 2000) == (0, True)
    assert figure["layout"]["shapes"][0]["y0"] == 2000


def test_names_of_people_are_text_not_markup():
    figure = time_series([Series("<b>x</b>", [AT], [1])], limits=[Limit("<i>", 1)], markers=[Marker("<a href=x>", AT)])
    assert "<" not in json.dumps(figure).replace("<extra></extra>", "")


def test_colours_are_tokens_so_that_the_theme_decides():
    figure = time_series([Series("a", [AT], [1]), Series("b", [AT], [2], colour="--control", dashed=True)])
    assert [one["line"]["color"] for one in figure["data"]] == ["--info-solid", "--control"]
    assert figure["layout"]["showlegend"] is True


def test_nothing_measured_is_still_a_figure():
    assert time_series([Series("a", [], [])])["layout"]["yaxis"]["range"][1] > 0
    assert bars(["a"], [None])["data"][0]["y"] == [None]


def test_a_single_moment_is_a_point_with_an_hour_to_both_sides():
    figure = time_series([Series("p95", [AT], [800]), Series("baseline", [AT], [None])])
    assert [one["mode"] for one in figure["data"]] == ["lines+markers", "lines"]
    assert figure["layout"]["xaxis"]["range"] == ["2026-11-22T23:00:00+00:00", "2026-11-23T01:00:00+00:00"]
    later = time_series([Series("p95", [AT, AT.replace(hour=1)], [800, 900])])
    assert (later["data"][0]["mode"], later["layout"]["xaxis"]) == ("lines", {})


def test_labels_of_moments_close_together_stand_one_above_the_other():
    markers = [Marker(label, AT + timedelta(minutes=n)) for n, label in enumerate(("2026.11.1", "2026.11.2"))]
    shown = time_series([Series("p95", [AT], [1])], markers=markers)["layout"]["annotations"]
    assert [(one["text"], one["yshift"]) for one in shown] == [("2026.11.1", 0), ("2026.11.2", 14)]


def test_the_label_of_a_limit_leaves_the_last_number_and_the_labels_of_moments_alone():
    def shown(last, limit):
        figure = time_series([Series("x", [AT], [last])], limits=[Limit("limit", limit)], markers=[Marker("live", AT)])
        label, moment = figure["layout"]["annotations"]
        return label["yanchor"], moment["yanchor"], moment["y"]

    assert shown(0.755, 0.7) == ("top", "bottom", 0), "just above the limit: the label goes below it"
    assert shown(0.2, 0.7) == ("bottom", "bottom", 0)
    assert shown(0, 1) == ("bottom", "bottom", 0)
    assert shown(10, 1) == ("bottom", "top", 1), "the limit is at the foot, so moments are named at the head"


def test_bars_have_names_and_no_scale():
    assert bars(["-1.0", "0"], [3, 4])["layout"]["xaxis"] == {"type": "category"}
