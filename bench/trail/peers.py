"""The same traffic for MLflow and Phoenix, beside ours, in one run: `python -m bench.trail peers`, after `fill`.

Each in an environment of its own, on the PostgreSQL that we use, with a database of its own. Loaded by the same
generator over OTLP/HTTP in batches of a thousand; counted as taken in is what the database holds, not what was
acknowledged. Ours answers over all that `fill` made; theirs over what this loaded. What cannot be installed or does not
start is said, and the others go on.
"""

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import sync_playwright

from accounts.roles import Role
from bench.trail import people
from bench.trail.people import median
from bench.trail.server import processes, settled, wait_for
from bench.trail.traffic import SPANS, SYSTEM, Traffic, otlp

OURS, BATCH = 8765, 1_000
LOOK_UPS, OPENED, WARM = 60, 9, 5
WEEK = timedelta(days=7)
AT_ONCE = 4  # batches on their way


@dataclass(frozen=True)
class Peer:
    name: str
    packages: tuple[str, ...]
    port: int
    spans: int
    headers: dict[str, str]
    stored: str  # how many spans its database holds

    def command(self, venv: Path, database: str) -> tuple[list[str | Path], dict[str, str]]:
        if self.name == "mlflow":
            where = ["--host", "127.0.0.1", "--port", str(self.port), "--backend-store-uri", database]
            files = ["--default-artifact-root", str(venv / "artifacts")]
            return [venv / "bin" / "mlflow", "server", *where, *files, "--workers", "2"], {}
        where = {"PHOENIX_SQL_DATABASE_URL": database, "PHOENIX_HOST": "127.0.0.1", "PHOENIX_PORT": str(self.port)}
        quiet = {"PHOENIX_GRPC_PORT": str(self.port + 1), "PHOENIX_TELEMETRY_ENABLED": "false"}
        return [venv / "bin" / "phoenix", "serve"], where | quiet | {"PHOENIX_WORKING_DIR": str(venv / "data")}

    def by_id(self, trace: bytes) -> tuple[str, str, bytes | None]:
        if self.name == "mlflow":
            return "GET", f"/api/3.0/mlflow/traces/get?trace_id=tr-{trace.hex()}&allow_partial=true", None
        asked = "{ traceId spans(first: 10) { edges { node { name } } } }"
        query = f'{{ getTraceByOtelId(traceId: "{trace.hex()}") {asked} }}'
        return "POST", "/graphql", json.dumps({"query": query}).encode()

    def page(self, trace: bytes) -> str:
        """Where a person looks at the trace."""
        if self.name == "mlflow":
            return f"http://127.0.0.1:{self.port}/#/experiments/0/traces?selectedEvaluationId=tr-{trace.hex()}"
        return f"http://127.0.0.1:{self.port}/redirects/traces/{trace.hex()}"

    def first_page(self) -> tuple[str, str, bytes | None]:
        if self.name == "mlflow":
            place = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}]
            body = {"locations": place, "max_results": 50, "order_by": ["timestamp_ms DESC"]}
            return "POST", "/api/3.0/mlflow/traces/search", json.dumps(body).encode()
        return "GET", "/v1/projects/default/spans?limit=50", None

    def series(self, now: datetime) -> tuple[str, str, bytes | None]:
        """p95 of a request's latency, hour by hour, over the last week."""
        since = now - WEEK
        if self.name == "mlflow":
            body = {
                "experiment_ids": ["0"],
                "view_type": "TRACES",
                "metric_name": "latency",
                "aggregations": [{"aggregation_type": "PERCENTILE", "percentile_value": 95}],
                "time_interval_seconds": 3600,
                "start_time_ms": int(since.timestamp() * 1000),
                "end_time_ms": int(now.timestamp() * 1000),
            }
            return "POST", "/api/3.0/mlflow/traces/metrics", json.dumps(body).encode()
        over = f'timeRange: {{start: "{since.isoformat()}", end: "{now.isoformat()}"}}, timeBinConfig: {{scale: HOUR}}'
        asked = f"traceLatencyMsPercentileTimeSeries({over}) {{ data {{ timestamp p95 }} }}"
        query = f'{{ getProjectByName(name: "default") {{ {asked} }} }}'
        return "POST", "/graphql", json.dumps({"query": query}).encode()


def peers(spans: int) -> tuple[Peer, ...]:
    header = {"x-mlflow-experiment-id": "0"}
    return (
        Peer("mlflow", ("mlflow>=3.17", "psycopg[binary]"), 8771, spans, header, "SELECT count(*) FROM spans"),
        Peer(
            "phoenix", ("arize-phoenix>=20", "psycopg[binary]", "asyncpg"), 8773, spans // 10, {},
            "SELECT count(*) FROM spans",
        ),
    )  # fmt: skip


def measure(superuser: str, folder: Path, *, spans: int) -> None:
    ours = _ours(superuser, spans)
    for peer in peers(spans):
        try:
            theirs = _theirs(peer, superuser, folder)
        except (
            OSError,
            subprocess.CalledProcessError,
            SystemExit,
            http.client.HTTPException,
            PlaywrightError,
        ) as error:
            print(f"{peer.name}: not measured: {str(error)[:400]}", flush=True)
            continue
        _compare(peer, ours, theirs)


@dataclass(frozen=True)
class Figures:
    rate: float  # spans/s that the database holds
    by_id: float  # seconds, median
    page: float  # the request as a page of HTML; where a peer's page asks its API, what that takes
    first_page: float
    series: float
    in_browser: float  # seconds until a person sees the spans of a request


def _compare(peer: Peer, ours: Figures, theirs: Figures) -> None:
    floors = {"mlflow": "floor 10, target 25", "phoenix": "floor 50, target 150"}
    print(
        f"{peer.name}: {theirs.rate:,.0f} spans/s; ours {ours.rate / theirs.rate:.0f} times that ({floors[peer.name]})"
    )
    print(
        f"{peer.name}: by id p50 {theirs.by_id * 1000:.1f} ms at {peer.spans:,} spans; "
        f"ours {ours.by_id / theirs.by_id:.2f} of it, as a page of HTML {ours.page / theirs.by_id:.2f} "
        "(floor 1.0, target 0.5, of the better peer)"
    )
    print(
        f"{peer.name}: first page p50 {theirs.first_page * 1000:.1f} ms; "
        f"ours {ours.first_page / theirs.first_page:.2f} of it"
    )
    print(
        f"{peer.name}: hourly p95 of a week p50 {theirs.series * 1000:.1f} ms; "
        f"ours {ours.series / theirs.series:.2f} of it (floor 0.5, target 0.1, of the better peer)"
    )
    print(
        f"{peer.name}: the spans of a request stand in the browser after {theirs.in_browser * 1000:,.0f} ms; "
        f"ours {ours.in_browser / theirs.in_browser:.2f} of it",
        flush=True,
    )


def _ours(superuser: str, spans: int) -> Figures:
    people.system()
    taking = {"Authorization": f"Bearer {people.token('bench-peers', 'ingest')}"}
    reading = {"Authorization": f"Bearer {people.token(SYSTEM, 'trail:read')}"}
    watching = {"Cookie": people.cookie(people.somebody(Role.AUDITOR))}
    with psycopg.connect(superuser, autocommit=True) as connection, processes("web", "worker", "beat", port=OURS):
        settled()
        rows = connection.execute(
            "SELECT request_id, replace(trace_id::text, '-', '') FROM audit_request TABLESAMPLE SYSTEM (0.05)"
            " WHERE system = %s LIMIT %s",
            [SYSTEM, LOOK_UPS],
        ).fetchall()
        held = "SELECT coalesce(sum(count), 0) FROM audit_span_batch WHERE system = 'bench-peers'"
        rate, _ = _load(OURS, taking, spans, lambda: connection.execute(held).fetchone()[0])  # type: ignore[index]
        settled()
        by_id = _times(OURS, reading, [("GET", f"/api/audit/requests/{quoted}", None) for quoted, _ in rows])
        html = _times(OURS, watching, [("GET", f"/requests/{SYSTEM}/{trace}/", None) for _, trace in rows])
        page = _times(OURS, reading, [("GET", f"/api/audit/requests?q=system:{SYSTEM}", None)] * 30)
        trends = f"/api/systems/{SYSTEM}/trends?range=7d"
        series = _times(OURS, reading, [("GET", f"{trends}&series=requests", None)] * 30)
        more = _times(OURS, reading, [("GET", trends, None)] * 30)
        addresses = [f"http://127.0.0.1:{OURS}/requests/{SYSTEM}/{trace}/" for _, trace in rows]
        in_browser = _in_browser(addresses, cookie=watching["Cookie"])
    figures = Figures(rate, median(by_id), median(html), median(page), median(series), median(in_browser))
    print(f"ours: {rate:,.0f} spans/s; by id, with proof, p50 {figures.by_id * 1000:.1f} ms", flush=True)
    print(f"ours: the same request as a page of HTML, p50 {figures.page * 1000:.1f} ms", flush=True)
    print(f"ours: first page by the API p50 {figures.first_page * 1000:.1f} ms", flush=True)
    print(
        f"ours: hourly p95 of a week p50 {figures.series * 1000:.1f} ms, "
        f"with that of each component {median(more) * 1000:.1f} ms"
    )
    print(f"ours: the spans of a request stand in the browser after {figures.in_browser * 1000:.0f} ms", flush=True)
    return figures


def _theirs(peer: Peer, superuser: str, folder: Path) -> Figures:
    venv = _installed(peer, folder / "peers" / peer.name)
    parts = urlsplit(superuser)
    database = urlunsplit(parts._replace(scheme="postgresql", path=f"/peer_{peer.name}"))
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS peer_{peer.name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE peer_{peer.name}")
    with _running(peer, venv, database, folder), psycopg.connect(database, autocommit=True) as connection:
        held = lambda: connection.execute(peer.stored).fetchone()[0]  # type: ignore[index]  # noqa: E731
        rate, traces = _load(peer.port, peer.headers, peer.spans, held)
        print(f"{peer.name}: {held():,} of {peer.spans:,} spans in its database", flush=True)
        some = traces[:: max(1, len(traces) // LOOK_UPS)]
        by_id = _times(peer.port, {}, [peer.by_id(trace) for trace in some])
        page = _times(peer.port, {}, [peer.first_page()] * 30)
        _load(peer.port, peer.headers, peer.spans // 10, held, over=WEEK)
        series = _times(peer.port, {}, [peer.series(datetime.now(UTC))] * 30)
        in_browser = _in_browser([peer.page(trace) for trace in some])
    return Figures(rate, median(by_id), median(by_id), median(page), median(series), median(in_browser))


def _installed(peer: Peer, venv: Path) -> Path:
    if not (venv / "bin" / peer.name).exists():
        print(f"installing {peer.name} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin" / "python", "-m", "pip", "install", "--quiet", *peer.packages], check=True)
    return venv


@contextmanager
def _running(peer: Peer, venv: Path, database: str, folder: Path) -> Iterator[None]:
    command, more = peer.command(venv, database)
    plain = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with (folder / "log" / f"peer-{peer.name}.log").open("ab") as log:
        process = subprocess.Popen(command, env=plain | more, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(f"http://127.0.0.1:{peer.port}/", seconds=180)
        yield
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def _load(
    port: int, headers: dict[str, str], spans: int, held: Callable[[], int], *, over: timedelta = timedelta()
) -> tuple[float, list[bytes]]:
    """Spans a second until the database holds them all, or no more of them come; and their trace ids.

    All began just now, or evenly `over` the time before.
    """
    traffic, now, before, count = Traffic(f"peers {port} {time.time()}"), datetime.now(UTC), held(), spans // SPANS
    requests = [traffic.request(now - over * number / count, 3) for number in range(count)]
    made = [requests[at : at + BATCH // SPANS] for at in range(0, count, BATCH // SPANS)]
    bodies = [otlp(batch, 3) for batch in made]
    began = time.monotonic()
    kind = {**headers, "Content-Type": "application/x-protobuf"}
    with ThreadPoolExecutor(AT_ONCE) as senders:  # enough that no web process of anybody's waits
        list(senders.map(lambda body: _ask(port, kind, "POST", "/v1/traces", body), bodies))
    seen, since = held(), time.monotonic()
    while seen - before < spans and time.monotonic() - since < 60:
        time.sleep(0.2)
        if (now_held := held()) != seen:
            seen, since = now_held, time.monotonic()
    took = (time.monotonic() if seen - before >= spans else since) - began
    return (seen - before) / took, [request[0]["trace_id"] for batch in made for request in batch]


def _times(port: int, headers: dict[str, str], asked: list[tuple[str, str, bytes | None]]) -> list[float]:
    times = []
    # The first ones warm up whatever they answer from: processes, connections, plans.
    for method, path, body in [*asked * WARM, *asked]:
        began = time.monotonic()
        _ask(port, {**headers, "Content-Type": "application/json"}, method, path, body)
        times.append(time.monotonic() - began)
    return times[-len(asked) :]


def _in_browser(addresses: list[str], *, cookie: str = "") -> list[float]:
    """Until a span's name is to be seen, in Chromium, which keeps what it may keep from one page to the next."""
    times = []
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context()
        if cookie:
            name, _, value = cookie.partition("=")
            context.add_cookies([{"name": name, "value": value, "url": f"http://127.0.0.1:{OURS}/"}])
        for address in addresses[: WARM + OPENED]:
            page = context.new_page()
            began = time.monotonic()
            page.goto(address, wait_until="commit")
            page.get_by_text("retrieve articles").first.wait_for()
            times.append(time.monotonic() - began)
            page.close()
        browser.close()
    return times[WARM:]


def _ask(port: int, headers: dict[str, str], method: str, path: str, body: bytes | None) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)  # a fresh one: see the bench of ingest
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    told = answer.read()
    connection.close()
    if answer.status != 200 or (path == "/graphql" and b'"errors"' in told[:200]):
        raise SystemExit(f"{path[:80]} answered {answer.status}: {told[:200]!r}")
    return told
