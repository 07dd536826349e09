"""By what a release is recognised outside: in requests, and in files of evaluation tools."""

from collections.abc import Iterable

from audit.approval import model_names, schema_name
from metrics.models import EvaluationRun
from releases.models import Pin, Release
from systems.kinds import Kind


def fingerprint_of(release: Release, pins: Iterable[Pin] | None = None) -> dict[str, list[str]]:
    """Labels, prompt hashes, model names and schemas, as requests carry them. `pins`: where they were just read."""
    found: dict[str, list[str]] = {"release": [release.label], "prompt_hash": [], "model": [], "schema": []}
    for pin in _pins(release) if pins is None else pins:
        match pin.component.kind:
            case Kind.PROMPT:
                found["prompt_hash"].append(pin.version.sha256)
            case Kind.MODEL:
                found["model"] += model_names(pin.version.meta)
            case Kind.INPUT_SCHEMA | Kind.OUTPUT_SCHEMA:
                side = "input" if pin.component.kind == Kind.INPUT_SCHEMA else "output"
                found["schema"] += [schema_name(side, said) for said in (pin.version.sha256, pin.version.number)]
    return {key: sorted(set(values)) for key, values in found.items()}


def dataset_hash(release: Release, pins: Iterable[Pin] | None = None) -> str:
    """The golden set's digest, as tools report it; the first dataset by name where there are several. Empty: no pin."""
    datasets = (pin for pin in (_pins(release) if pins is None else pins) if pin.component.kind == Kind.DATASET)
    return next((pin.version.sha256 for pin in datasets), "")


def _pins(release: Release) -> Iterable[Pin]:
    return release.pins.select_related("version", "component").order_by("component__kind", "component__name")


def claimed_pins(release: Release, pins: Iterable[Pin] | None = None) -> dict[str, list[str]]:
    """What a run's file may claim to have been made with."""
    found = fingerprint_of(release, pins)
    return {"prompt_hash": found["prompt_hash"], "model": found["model"]}


def mismatch_of(release: Release, run: EvaluationRun, pins: Iterable[Pin] | None = None) -> str:
    """Why a run does not belong to this release; empty where it does. A pin that the file does not name is no proof."""
    if not run.dataset_hash or run.dataset_hash != dataset_hash(release, pins):
        return "it was made on another dataset than the pinned one."
    for name, accepted in claimed_pins(release, pins).items():
        claim = run.pins.get(name)
        claims = [claim] if isinstance(claim, str) else list(claim or [])
        if not claims:
            return f"the file does not say which {name.replace('_', ' ')} it was made with."
        if foreign := [value for value in claims if value not in accepted]:
            return f"its {name.replace('_', ' ')} {foreign[0]} is not pinned."
    return ""
