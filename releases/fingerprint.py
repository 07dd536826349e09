"""What telemetry can report of a release: the pins by which its requests are recognised as approved."""

from releases.models import Release
from systems.kinds import Kind


def fingerprint_of(release: Release) -> dict[str, list[str]]:
    """Labels, prompt hashes and model names, as requests carry them."""
    found: dict[str, list[str]] = {"release": [release.label], "prompt_hash": [], "model": []}
    for pin in release.pins.select_related("version", "component"):
        match pin.component.kind:
            case Kind.PROMPT:
                found["prompt_hash"].append(pin.version.sha256)
            case Kind.MODEL:
                meta = pin.version.meta
                found["model"] += [name for key in ("model", "deployment") if (name := meta.get(key))]
    return {key: sorted(set(values)) for key, values in found.items()}
