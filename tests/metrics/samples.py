"""The committed evaluation files, made by the real tools (tests/samples/tools)."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "samples"
INSPECT = FOLDER / "inspect" / "0.3.285"
PROMPTFOO = FOLDER / "promptfoo" / "0.123.1"
BASELINE, BETTER, WORSE = "2026.10.4", "2026.11.2", "2026.11.3"
IDENTITY: dict[str, dict[str, str]] = json.loads((FOLDER / "identity.json").read_text())
DATASET_HASH = IDENTITY[BETTER]["readiness.dataset_hash"]


def pins(release: str) -> dict[str, list[str]]:
    return {name: [IDENTITY[release][f"readiness.{name}"]] for name in ("prompt_hash", "model")}


def inspect_log(name: str = f"{BETTER}.json") -> Any:
    return json.loads((INSPECT / name).read_text())


def promptfoo_file(name: str = f"{BETTER}.json") -> Any:
    return json.loads((PROMPTFOO / name).read_text())


def packed(document: Any) -> bytes:
    return json.dumps(document).encode()
