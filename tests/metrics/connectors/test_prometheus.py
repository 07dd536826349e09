import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import time_machine

from metrics.connectors import prometheus
from metrics.judges.canary import WindowFacts
from metrics.problems import EgressFailed, EgressRefused, Invalid, SourceFailed, Unreadable
from tests.metrics import hostile
from tests.metrics.prometheus_server import Points
from tests.metrics.prometheus_server import prometheus as running_prometheus

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
EXPORTED = b"""# TYPE llm_requests_total counter
llm_requests_total{release="2026.11.2",outcome="ok"} 41
llm_requests_total{release="2026.11.2",outcome="error"} 1
# TYPE llm_request_duration_seconds histogram
llm_request_duration_seconds_bucket{release="2026.11.2",le="0.5"} 30
llm_request_duration_seconds_bucket{release="2026.11.2",le="2"} 40
llm_request_duration_seconds_bucket{release="2026.11.2",le="+Inf"} 42
llm_request_duration_seconds_count{release="2026.11.2"} 42
llm_request_duration_seconds_sum{release="2026.11.2"} 20
"""


def every(seconds: int, value: Any, *, since: int = 0, until: int = 600, skip: range = range(0)) -> Points:
    """Samples every so many seconds after START; `value` makes them from the seconds."""
    return [(START + s * SECOND, value(s)) for s in range(since, until + 1, seconds) if s not in skip]


def requests(release: str, outcome: str = "ok", instance: str = "a") -> str:
    return f'llm_requests_total{{release="{release}",outcome="{outcome}",instance="{instance}"}}'


def bucket(release: str, le: str) -> str:
    return f'llm_request_duration_seconds_bucket{{release="{release}",le="{le}"}}'


def history() -> dict[str, Points]:
    """One release for each thing that can happen to a counter, scraped every 15 s, two requests a second."""
    series: dict[str, Points] = {
        requests("steady"): every(15, lambda s: 1000 + 2 * s, since=-300),
        requests("steady", "error"): every(15, lambda s: max(0, s - 60) // 60, since=-300),
        requests("restarted"): every(15, lambda s: 1000 + 2 * s if s < 100 else 2 * (s - 100), since=-300),
        requests("restarted", "error"): every(15, lambda s: 0, since=-300),
        requests("new"): every(15, lambda s: 2 * s, since=30),
        requests("new", "error"): every(15, lambda s: 7, since=90),
        requests("gap"): every(15, lambda s: 2 * s, since=-300, skip=range(121, 260)),
        requests("gap", "error"): every(15, lambda s: 0, since=-300, skip=range(121, 260)),
        requests("nan"): every(15, lambda s: float("nan") if s == 75 else 2 * s, since=-300),
        requests("nan", "error"): every(15, lambda s: 0, since=-300),
        requests("mute"): every(15, lambda s: 2 * s, since=-300),
        requests("pair", instance="a"): every(15, lambda s: 2 * s, since=-300),
        requests("pair", instance="b"): every(15, lambda s: s, since=-300),
        requests("renamed", instance="old"): every(15, lambda s: 2 * s, until=120),
        requests("renamed", instance="new"): every(15, lambda s: 2 * (s - 120), since=135),
        'llm_requests_total{release="unlabelled"}': every(15, lambda s: 2 * s, since=-300),
    }
    for release in ("steady", "restarted", "new", "gap", "nan", "pair", "renamed"):
        for le, share in (("0.5", 1.0), ("2", 1.8), ("+Inf", 2.0)):
            series[bucket(release, le)] = every(15, lambda s, share=share: share * 10 * (s + 300), since=-300)
    return series


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("prometheus")
    application = hostile.serving(hostile.plain(EXPORTED, headers="Content-Type: text/plain\r\n"))
    with application as port, running_prometheus(folder, history(), scraping=port) as url:
        yield url


@pytest.fixture
def config(address: str, settings: Any) -> dict[str, Any]:
    settings.EGRESS_ALLOW = [address.removeprefix("http://")]
    return {"url": address, "error_values": ["error", "time*"]}


def ask(config: dict[str, Any], release: str, minutes: range, **more: Any) -> list[WindowFacts]:
    spans = [(START + 60 * m * SECOND, START + 60 * (m + 1) * SECOND) for m in minutes]
    options = {"secret": "", "counted_before": False} | more
    facts, raw = prometheus.windows(config, release_label=release, spans=spans, **options)
    assert json.loads(raw)["source"] == "prometheus"
    return facts


def counts(facts: list[WindowFacts]) -> list[tuple[int, int] | str]:
    return [(one.requests, one.errors) if one.answered else one.reason for one in facts]


def test_windows_add_up_to_exactly_what_was_counted(config: dict[str, Any]) -> None:
    facts = ask(config, "steady", range(10))
    assert counts(facts) == [(120, 0), (121, 1), *[(121, 1)] * 8]
    assert sum(one.requests for one in facts) == 2 * 600 + 9
    assert facts[0].latency == (
        (Decimal(0), Decimal(500), 600),
        (Decimal(500), Decimal(2000), 480),
        (Decimal(2000), Decimal("Infinity"), 120),
    )


def test_asked_one_by_one_or_together_the_windows_are_the_same(config: dict[str, Any]) -> None:
    one_by_one = [ask(config, "steady", range(m, m + 1), counted_before=m > 0)[0] for m in range(10)]
    assert one_by_one == ask(config, "steady", range(10))


def test_a_counter_that_starts_again_is_a_restart_and_not_a_loss(config: dict[str, Any]) -> None:
    """At 90 s it stood at 1180; it was restarted at 100 s, and at 105 s it stood at 10."""
    assert counts(ask(config, "restarted", range(3))) == [(120, 0), (2 * 30 + 2 * 20, 0), (120, 0)]


def test_a_new_series_counts_from_zero_also_one_of_errors(config: dict[str, Any]) -> None:
    """`increase()` would hide the first seven errors: they were there with the first sample."""
    assert counts(ask(config, "new", range(3))) == [(120, 0), (120 + 7, 7), (120, 0)]


def test_a_gap_is_unanswered_and_what_happened_in_it_is_counted_after_it(config: dict[str, Any]) -> None:
    answered = counts(ask(config, "gap", range(6)))
    assert answered == [(120, 0), (120, 0), "Nothing was scraped.", "Nothing was scraped.", (360, 0), (120, 0)]


def test_after_a_gap_that_is_longer_than_the_look_back_nothing_is_counted_twice(config: dict[str, Any]) -> None:
    before = ask(config, "new", range(1), counted_before=True)
    assert counts(before) == ["No earlier sample to count from: after a gap the first window is unknown."]


def test_a_sample_that_is_no_number_spoils_its_windows_only(config: dict[str, Any]) -> None:
    assert counts(ask(config, "nan", range(3))) == [(120, 0), "A sample is not a number.", (120, 0)]


def test_instances_are_summed_up(config: dict[str, Any]) -> None:
    assert counts(ask(config, "pair", range(2))) == [(180, 0), (180, 0)]


def test_requests_without_a_histogram_are_unanswered(config: dict[str, Any]) -> None:
    (only,) = counts(ask(config, "mute", range(1)))
    assert only == "There is no histogram llm_request_duration_seconds_bucket for its requests."


def test_an_empty_answer_is_missing_and_never_zero(config: dict[str, Any]) -> None:
    facts = ask(config, 'no"such\\release\n', range(2))
    assert [one.answered for one in facts] == [False, False]
    assert facts[0].reason.startswith("There is no llm_requests_total with release=")


def test_series_without_the_error_label_are_refused_because_nothing_would_be_an_error(config: dict[str, Any]) -> None:
    with pytest.raises(SourceFailed, match="series without the label outcome"):
        ask(config, "unlabelled", range(1))


def test_other_labels_narrow_the_question(config: dict[str, Any]) -> None:
    only = {**config, "matchers": {"instance": "b"}}
    facts = ask(only, "pair", range(1))
    assert facts[0].reason == "There is no histogram llm_request_duration_seconds_bucket for its requests."


def test_milliseconds_and_other_names_are_understood(config: dict[str, Any]) -> None:
    facts = ask({**config, "latency_unit": "ms"}, "steady", range(1))
    assert facts[0].latency[0] == (Decimal(0), Decimal("0.5"), 600)


def test_the_connection_test_says_what_it_found(config: dict[str, Any]) -> None:
    for _ in range(100):
        findings = prometheus.check(config, secret="", now=datetime.now(UTC))
        if len(findings) >= 5:
            break
        time.sleep(0.1)
    assert all(finding.ok for finding in findings), findings
    said = " ".join(finding.sentence for finding in findings)
    assert "Prometheus 2." in said
    assert "llm_requests_total knows the releases 2026.11.2." in said
    assert "outcome has the values error (errors) and ok." in said
    assert "It is scraped every 1 s." in said
    assert "Latency is counted up to 500, 2000 ms." in said


def test_the_connection_test_says_what_is_wrong(config: dict[str, Any]) -> None:
    now = datetime.now(UTC)

    def wrong(**changes: Any) -> str:
        findings = prometheus.check({**config, **changes}, secret="", now=now)
        return " ".join(finding.sentence for finding in findings if not finding.ok)

    assert "no samples of nothing_total in the last ten minutes" in wrong(requests="nothing_total")
    assert "has no label version" in wrong(release_label="version")
    assert "have no label status" in wrong(error_label="status")
    assert "latency stays unknown" in wrong(latency="nothing_seconds")
    assert "is not a public address" in wrong(url="http://127.0.0.1:1")
    skewed = prometheus.check(config, secret="", now=now - timedelta(minutes=2))
    assert any("Its clock differs from ours by" in finding.sentence for finding in skewed)


@pytest.mark.parametrize(
    "bad",
    [
        {"requests": 'up{a="b"}'},
        {"latency": "a b"},
        {"error_label": "a-b"},
        {"matchers": {"a b": "c"}},
        {"latency_unit": "h"},
        {"error_values": []},
        {"query": "up"},
    ],
)
def test_settings_that_could_smuggle_a_query_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        prometheus.Config.read({"url": "http://prometheus.example", **bad})


def reply(body: Any, status: str = "200 OK") -> Any:
    return hostile.plain(body if isinstance(body, bytes) else json.dumps(body).encode(), status=status)


def matrix(*series: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(series)}}


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (reply(b"<html>"), Unreadable, "is not whole JSON"),
        (reply({"status": "error", "error": "parse error"}), SourceFailed, "refused the query: parse error"),
        (reply({}, "503 Service Unavailable"), SourceFailed, "It answered 503"),
        (reply(matrix() | {"warnings": ["store gone"]}), SourceFailed, "a warning"),
        (reply(matrix({"metric": {"release": "other"}, "values": []})), Unreadable, "about another release"),
        (reply(matrix({"metric": {"release": "r"}, "values": [["x", "1"]]})), Unreadable, "not a time and a number"),
        (reply(matrix({"metric": {"release": "r"}})), Unreadable, "without samples"),
        (hostile.plain(b"", status="302 Found", headers="Location: http://10.0.0.1/\r\n"), SourceFailed, "redirects"),
        (hostile.cut_off, EgressFailed, "could not be reached"),
    ],
)
def test_a_server_that_misbehaves_is_told_apart(answer: Any, error: Any, reason: str, settings: Any) -> None:
    with hostile.serving(answer) as port:
        settings.EGRESS_ALLOW = [f"127.0.0.1:{port}"]
        with pytest.raises(error, match=reason):
            ask({"url": f"http://127.0.0.1:{port}"}, "r", range(1))
        settings.EGRESS_ALLOW = []
        with pytest.raises(EgressRefused):
            ask({"url": f"http://127.0.0.1:{port}"}, "r", range(1))


def test_a_histogram_or_counter_that_contradicts_itself_is_unanswered(tmp_path: Path, settings: Any) -> None:
    at = [(START + s * SECOND).timestamp() for s in (-10, 10, 50)]

    def both(requests: list[str], buckets: dict[str, list[str]]) -> Any:
        def answer(connection: Any, head: bytes) -> None:
            body = head
            while b"query=" not in body:
                body += connection.recv(65536)
            if b"_bucket" in body:
                series = [
                    {"metric": {"release": "r", "le": le}, "values": list(zip(at, values, strict=True))}
                    for le, values in buckets.items()
                ]
            else:
                labels = {"release": "r", "outcome": "ok", "__name__": "llm_requests_total"}
                series = [{"metric": labels, "values": list(zip(at, requests, strict=True))}]
            reply(matrix(*series))(connection, head)

        return answer

    for requests_seen, buckets, reason in (
        (["0", "1", "2"], {"0.5": ["0", "5", "9"], "+Inf": ["0", "1", "2"]}, "The latency histogram contradicts"),
        (["0", "1", "2.5"], {"+Inf": ["0", "1", "2"]}, "does not count in whole numbers"),
        (["0", "1", "2"], {"half": ["0", "1", "2"]}, "has a bucket 'half'"),
    ):
        with hostile.serving(both(requests_seen, buckets)) as port:
            settings.EGRESS_ALLOW = [f"127.0.0.1:{port}"]
            (only,) = ask({"url": f"http://127.0.0.1:{port}"}, "r", range(1))
            assert (only.answered, reason in only.reason) == (False, True), only.reason


def test_what_happened_to_the_counters_is_said_beside_windows_that_count(config: dict[str, Any]) -> None:
    assert [one.note for one in ask(config, "steady", range(3))] == ["", "", ""]
    (_, restarted, _) = ask(config, "restarted", range(3))
    assert restarted.answered
    assert restarted.note == "Began anew at zero: {instance=a, outcome=ok, release=restarted}."
    notes = [one.note for one in ask(config, "new", range(3))]
    assert notes[1].startswith("New series: {instance=a, outcome=error, release=new}")
    assert notes[2] == ""


def test_a_series_that_changed_its_labels_is_said_and_nothing_is_lost(config: dict[str, Any]) -> None:
    """At 120 s the instance was renamed: one series ends, another begins, and each increment counts once."""
    facts = ask(config, "renamed", range(4))
    assert sum(one.requests for one in facts) == 2 * 240
    assert "No longer scraped: {instance=old" in facts[2].note
    assert "New series: {instance=new" in facts[2].note


def test_a_clock_that_is_wrong_is_said_beside_the_windows(settings: Any) -> None:
    late = "Date: Fri, 20 Nov 2026 09:00:00 GMT\r\n"
    sample = {"metric": {"__name__": "llm_requests_total", "release": "1", "outcome": "ok"}, "values": []}
    sample["values"] = [[(START + n * 15 * SECOND).timestamp(), str(n)] for n in range(5)]
    body = json.dumps({"status": "success", "data": {"result": [sample]}}).encode()
    with hostile.serving(hostile.plain(body, headers=late)) as port, time_machine.travel(START + 90 * SECOND):
        settings.EGRESS_ALLOW = [f"127.0.0.1:{port}"]
        (only,) = ask({"url": f"http://127.0.0.1:{port}"}, "1", range(1))
    assert only.note.startswith("Its clock is 90 s behind ours")
