"""What the traffic of a system is checked against at ingest: pushed down to `audit`, which knows no systems."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from audit import canonical
from audit.actors import Actor
from audit.profiles import profile_of, set_profile
from systems.kinds import Kind
from systems.models import System, Version
from systems.registry import content_of

# Kinds whose approval or retirement changes the profile.
IN_PROFILE = (Kind.INPUT_SCHEMA, Kind.OUTPUT_SCHEMA, Kind.CONTRACT, Kind.MODEL, Kind.PROMPT, Kind.FALLBACK)


def push_profile(system: System, *, by: Actor, now: datetime) -> None:
    """Writes the profile anew, where it changed. The data policy in it (systems.actions.traffic) stays as it is.

    In force is every version that was approved and not yet retired: while one release serves and the next is in
    canary both of their contracts apply, and a rollback must find its own again. So a schema is "any of these", and a
    limit the widest of them. Deprecating asks people to move; retiring ends it here.
    """
    living = Version.objects.filter(
        component__system=system, component__kind__in=IN_PROFILE, state__in=["approved", "deprecated"]
    ).select_related("component")
    by_kind: dict[str, list[Version]] = {}
    for version in living.order_by("component__name", "number"):
        by_kind.setdefault(version.component.kind, []).append(version)
    contracts = [_value(version) for version in by_kind.get(Kind.CONTRACT, [])]
    fallbacks = [_value(version) for version in by_kind.get(Kind.FALLBACK, [])]
    before = profile_of(system.slug).profile
    profile = replace(
        before,
        input_schema=_any_of(by_kind.get(Kind.INPUT_SCHEMA, [])),
        output_schema=_any_of(by_kind.get(Kind.OUTPUT_SCHEMA, [])),
        max_context_chars=_widest(contracts, "max_context_chars"),
        max_output_tokens=_widest(contracts, "max_output_tokens"),
        timeout_ms=_widest(contracts, "timeout_ms"),
        retry_limit=_widest(contracts, "retry_limit"),
        prices=_prices(by_kind.get(Kind.MODEL, [])),
        prompts=_prompts(by_kind.get(Kind.PROMPT, [])),
        components=_components(contracts),
        canonical_outputs=sorted({contract.get("canonical_output", "none") for contract in contracts}),
        error_codes=sorted({code for value in fallbacks for code in value.get("error_codes", {})}),
    )
    if profile.body() != before.body():
        set_profile(system=system.slug, profile=profile, by=by, now=now)


def _value(version: Version) -> Any:
    return canonical.loads(content_of(version))


def _any_of(versions: list[Version]) -> dict[str, Any] | None:
    """One schema as it is; of several each keeps its own root ($id), so that its references stay inside it."""
    distinct = {version.sha256: version for version in versions}
    if not distinct:
        return None
    if len(distinct) == 1:
        schema: dict[str, Any] = _value(next(iter(distinct.values())))
        return schema
    return {"anyOf": [{**_value(version), "$id": f"urn:readiness:{sha256}"} for sha256, version in distinct.items()]}


def _widest(contracts: Iterable[dict[str, Any]], name: str) -> int | None:
    return max((int(contract[name]) for contract in contracts), default=None)


def _prompts(versions: list[Version]) -> dict[str, list[dict[str, Any]]]:
    """By hash: a request that carries it is one of these, or of none that was approved."""
    prompts: dict[str, list[dict[str, Any]]] = {}
    for version in versions:
        prompts.setdefault(version.sha256, []).append({"name": version.component.name, "number": version.number})
    return prompts


def _components(contracts: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """The widest limit of each named component. A contract that does not name one means its general limit by it."""
    named = sorted({name for contract in contracts for name in contract.get("components", {})})
    limits: dict[str, dict[str, int]] = {}
    for name in named:
        of_all = [{**contract, **contract.get("components", {}).get(name, {})} for contract in contracts]
        limits[name] = {limit: max(int(one[limit]) for one in of_all) for limit in ("retry_limit", "timeout_ms")}
    return limits


def _prices(versions: list[Version]) -> dict[str, dict[str, str]]:
    """By deployment and by model name, since telemetry reports either. The newest version wins."""
    prices: dict[str, dict[str, str]] = {}
    for version in sorted(versions, key=lambda version: version.number):
        if found := version.meta.get("prices"):
            for name in ("deployment", "model"):
                if version.meta.get(name):
                    prices[version.meta[name]] = found
    return prices
