"""A source and the connector of its kind: settings checked, secret opened, connection tested."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from audit import secrets
from metrics import egress, evaluation, locations
from metrics.answers import RunAnswer
from metrics.connectors import inspect_ai, json_http, junit, mlflow, prometheus, promptfoo, table, trail
from metrics.findings import Finding
from metrics.mapping import Fields
from metrics.models import Source, Target, tool_in_words
from metrics.problems import Invalid, MetricsError, SourceFailed

FILES = {
    inspect_ai.NAME: inspect_ai.SUFFIXES,
    promptfoo.NAME: promptfoo.SUFFIXES,
    junit.NAME: junit.SUFFIXES,
    table.NAME: table.SUFFIXES,
    json_http.NAME: json_http.SUFFIXES,
}


def check_config(kind: str, config: Mapping[str, Any]) -> None:
    """Refuses settings that cannot work, with a sentence."""
    config = dict(config)
    days = config.pop("fresh_days", None)
    if days is not None and (kind not in (*FILES, mlflow.NAME) or type(days) is not int or not 1 <= days <= 3650):
        raise Invalid("Runs of a source of evaluations are fresh for 1 to 3650 days.")
    if kind in FILES:
        location = config.get("location")
        if not isinstance(location, str) or not location:
            raise Invalid("A source of evaluation files has one setting: its location.")
        locations.check(location)
        if kind == json_http.NAME:
            json_http.check(config)
        elif kind == table.NAME:
            Fields.read(config)
        elif set(config) != {"location"}:
            raise Invalid("A source of evaluation files has one setting: its location.")
    elif kind == mlflow.NAME:
        mlflow.check_config(config)
    elif kind == prometheus.NAME:
        egress.check_url(prometheus.Config.read(config).url)
    elif kind == trail.NAME:
        trail.environments(config)
    else:
        raise Invalid(f"There is no connector {kind!r}.")


def secret_of(source: Source) -> str:
    return secrets.decrypt(source.secret) if source.secret else ""


def read_file(source: Source, *, release_label: str) -> tuple[str, bytes, RunAnswer]:
    """The newest evaluation for the release: its name, its bytes, what it says."""
    if source.kind == mlflow.NAME:
        name, raw = mlflow.fetch(source.config, release_label=release_label, secret=secret_of(source))
        return name, raw, evaluation.parse(source.kind, raw)
    name, raw = locations.read(
        source.config["location"],
        release_label=release_label,
        suffixes=FILES[source.kind],
        secret=secret_of(source),
    )
    return name, raw, evaluation.parse(source.kind, raw, source.config)


def try_connection(source: Source, *, now: datetime) -> list[Finding]:
    """What was found and what is wrong, in words. Stores nothing but whether the source answers."""
    try:
        findings = _findings(source, now)
    except MetricsError as error:
        findings = [Finding(False, error.detail)]
    wrong = [finding.sentence for finding in findings if not finding.ok]
    health: dict[str, Any] = {"state": Source.State.FAILING, "last_error": " ".join(wrong)}
    if not wrong:
        health = {"state": Source.State.OK, "last_error": "", "last_ok_at": now}
    Source.objects.filter(pk=source.pk).update(**health)
    return findings


def _findings(source: Source, now: datetime) -> list[Finding]:
    check_config(source.kind, source.config)
    if source.kind == prometheus.NAME:
        return prometheus.check(source.config, secret=secret_of(source), now=now)
    if source.kind == trail.NAME:
        return trail.check(source.config, system=source.system.slug, now=now)
    found = mlflow.check(source.config, secret=secret_of(source)) if source.kind == mlflow.NAME else []
    labels = list(
        dict.fromkeys(Target.objects.filter(source=source, ended_at=None).values_list("release_label", flat=True))
    )
    if not labels and source.kind == mlflow.NAME:
        return [*found, Finding(True, "No release waits for its evaluation yet.")]
    if not labels and "{release}" in source.config["location"]:
        return [Finding(True, "The location can be read. No release waits for its evaluation yet.")]
    return found + [_file_finding(source, label) for label in labels or ["any"]]


def _file_finding(source: Source, label: str) -> Finding:
    try:
        name, raw, answer = read_file(source, release_label=label)
    except SourceFailed as error:
        return Finding(False, f"{error.detail} (asked for release {label})")
    claimed = answer.claims.release or "no release that it names"
    what = f"{tool_in_words(answer.tool, answer.tool_version)}, {len(answer.cases):,} cases, {len(raw):,} bytes"
    return Finding(True, f"{name}: {what}, about {claimed}.")
