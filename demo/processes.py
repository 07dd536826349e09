"""What keeps running beside the product while a demo is shown: the application twice, its callers, a Prometheus."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from demo.notes import Notes

FILES = Path(__file__).parent / "files" / "evaluations"


@dataclass(frozen=True)
class Part:
    name: str
    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)


def children(folder: Path, base_url: str) -> list[Part]:
    """The live release gets nine of ten requests, the canary the tenth: what a load balancer would do."""
    notes = Notes.load(folder)
    parts = [
        _application("demo-live", "2026.10.4", 1, notes.app_port, notes, base_url),
        _application("demo-canary", "2026.11.2", 3, notes.canary_port, notes, base_url),
        _callers(notes),
    ]
    return [*parts, _prometheus(folder, notes)] if notes.prometheus else parts


def _application(name: str, label: str, version: int, port: int, notes: Notes, base_url: str) -> Part:
    argv = [sys.executable, "-m", "demo.stub_app", "--port", str(port), "--release", label]
    argv += ["--prompt-file", str(FILES / f"prompt-{label}.txt"), "--prompt-version", str(version)]
    return Part(name, [*argv, "--otlp", base_url, "--token", notes.ingest_token])


def _callers(notes: Notes) -> Part:
    targets = [f"http://127.0.0.1:{notes.app_port}=90", f"http://127.0.0.1:{notes.canary_port}=10"]
    argv = [sys.executable, "-m", "demo.traffic", "live", "--rate", "2", "--seconds", "86400"]
    return Part("demo-callers", [*argv, *(word for target in targets for word in ("--target", target))])


def _prometheus(folder: Path, notes: Notes) -> Part:
    """Prometheus reads YAML, and JSON is YAML."""
    home = folder / "prometheus"
    home.mkdir(mode=0o700, exist_ok=True)
    targets = [f"127.0.0.1:{port}" for port in (notes.app_port, notes.canary_port)]
    job = {"job_name": "assistant", "static_configs": [{"targets": targets}]}
    config = home / "prometheus.yml"
    config.write_text(json.dumps({"global": {"scrape_interval": "10s"}, "scrape_configs": [job]}))
    argv = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={home / 'data'}"]
    return Part("demo-prometheus", [*argv, f"--web.listen-address=127.0.0.1:{notes.prometheus_port}"])
