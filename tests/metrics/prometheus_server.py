"""A real Prometheus server for a test, with a history that the test writes and an application that it scrapes now."""

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

Points = Sequence[tuple[datetime, float]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def open_metrics(series: Mapping[str, Points]) -> str:
    """History in the OpenMetrics format; a key is a metric with its labels, as in `a_total{release="1"}`."""
    lines: dict[str, list[str]] = {}
    for key, points in series.items():
        name = key.partition("{")[0]
        family = name.removesuffix("_total").removesuffix("_bucket")
        lines.setdefault(family, [f"# TYPE {family} {'counter' if name.endswith('_total') else 'gauge'}"])
        lines[family] += [f"{key} {value} {at.timestamp():.3f}" for at, value in points]
    return "\n".join(line for family in lines.values() for line in family) + "\n# EOF\n"


@contextmanager
def prometheus(folder: Path, history: Mapping[str, Points], *, scraping: int | None = None) -> Iterator[str]:
    """Starts the server in `folder`; `scraping` is the port of an application that it scrapes every second."""
    program, tool = shutil.which("prometheus"), shutil.which("promtool")
    if program is None or tool is None:
        pytest.fail("Prometheus is not installed: apt-get install prometheus (bin/test does it where it may).")
    if history:
        (folder / "history.om").write_text(open_metrics(history).replace("_bucket gauge", "_bucket unknown"))
        made = subprocess.run(
            [tool, "tsdb", "create-blocks-from", "openmetrics", str(folder / "history.om"), str(folder / "data")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr + made.stdout
    target = f'\nscrape_configs: [{{job_name: bot, static_configs: [{{targets: ["127.0.0.1:{scraping}"]}}]}}]'
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 1s}" + (target if scraping else "") + "\n")
    port = free_port()
    command = [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=10y"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/-/ready", folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_until_ready(address: str, log: Path) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(address, timeout=2).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"Prometheus did not start: {log.read_text()[-2000:]}")
