"""Sample contexts: signatures, a canary, evidence, the statement that is signed."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from web.figures import Limit, Series, time_series
from web.samples.release import DIGEST, OTHER


def signoffs(now: datetime, state: str = "blocked") -> dict[str, Any]:
    blocked = "" if state == "cleared" else "The verdict is no-go: nobody can sign yet."
    signed: dict[str, Any] = {
        "status": "signed",
        "who": "Jonas Weber",
        "at": now - timedelta(hours=2),
        "method": "passkey",
    }
    engineering: dict[str, Any] = {
        "name": "Engineering",
        "meaning": "Verifies correctness and evaluation results.",
        "status": "waiting",
    }
    operations: dict[str, Any] = {
        "name": "Operations",
        "meaning": "Verifies monitoring, alerts and rollback.",
        "status": "waiting",
    }
    action = {"label": "Sign as operations", "url": "#", "kind": "primary", "key": "s", "reason": blocked}
    if state == "void":
        engineering |= signed | {"status": "void", "note": "Prompt v14 replaced v13 afterwards: this no longer counts."}
    elif state != "blocked":
        engineering |= signed
    if state == "cleared":
        operations |= signed | {"who": "Tomas Okafor", "at": now - timedelta(minutes=20)}
    else:
        operations["action"] = action
    return {
        "question": "for the canary" if state in ("blocked", "void") else "for the release",
        "done": {"blocked": 0, "void": 0, "half": 1, "cleared": 2}[state],
        "needed": 2,
        "sides": [engineering, operations],
        "state_digest": DIGEST,
        "statement_url": "#",
    }


def pins() -> list[dict[str, Any]]:
    rows = [
        ("Prompt", "system-prompt", 14, True),
        ("Input schema", "question", 3, False),
        ("Output schema", "answer", 5, True),
        ("Model deployment", "gpt-4.1-mini-2026-09", 2, False),
        ("Dataset", "golden", 9, False),
        ("Fallback", "canned-reply", 2, False),
    ]
    return [
        {
            "kind": kind,
            "name": name,
            "version": f"v{number}",
            "url": "#",
            "digest": DIGEST if number % 2 else OTHER,
            "diff_url": "#" if changed else "",
        }
        for kind, name, number, changed in rows
    ]


def history(now: datetime) -> list[dict[str, Any]]:
    rows: Sequence[tuple[str, str, str, timedelta]] = (
        ("failed", "Evaluation judged", "", timedelta(minutes=18)),
        ("submitted", "attached runbook v3", "Ines Duarte", timedelta(hours=1)),
        ("void", "Signature of engineering voided", "", timedelta(hours=3)),
        ("open", "pinned prompt v14", "Mara Lindqvist", timedelta(hours=3, minutes=1)),
        ("signed", "signed as engineering", "Jonas Weber", timedelta(hours=26)),
        ("draft", "opened the release", "Mara Lindqvist", timedelta(days=3)),
    )
    return [
        {"status": s, "sentence": text, "who": who, "at": now - ago, "url": "#" if who else ""}
        for s, text, who, ago in rows
    ]


def rollout(now: datetime) -> dict[str, Any]:
    hours = [now - timedelta(hours=21 - hour) for hour in range(22)]
    candidate = [None if hour == 9 else 840 + 70 * math.sin(hour / 2.3) + 18 * (hour % 3) for hour in range(22)]
    baseline: list[float | None] = [800 + 40 * math.sin(hour / 2.6) for hour in range(22)]
    words = ["no answer from Prometheus" if hour == 9 else "covered" for hour in range(22)]
    cells = [("missing" if n == 9 else "ok", f"hour {n + 1}: {word}") for n, word in enumerate(words)]
    lines = [Series("candidate", hours, candidate), Series("baseline", hours, baseline, "--control", dashed=True)]
    rows = [
        [f"{hour:%H:%M}", *[f"{value:.0f}" if value else "no answer" for value in values]]
        for hour, *values in zip(hours, candidate, baseline, strict=True)
    ]
    return {
        "title": "Canary",
        "status": "running",
        "share": "10 % of traffic",
        "started_at": hours[0],
        "ends_at": now + timedelta(hours=3),
        "covered": 21,
        "needed": 24,
        "cells": [*cells, ("running", "hour 23: now"), ("not-started", "hour 24"), ("not-started", "hour 25")],
        "strip_label": "21 of 24 hours covered, one gap",
        "note": "One hour had no answer from Prometheus: it does not count, so the canary ends an hour later.",
        "measures": _measures(candidate),
        "figures": [
            {
                "id": "rollout-latency",
                "figure": time_series(lines, unit="ms", limits=[Limit("limit 2,000 ms", 2000)], height=200),
                "summary": "p95 latency of candidate and baseline over 21 hours; the limit is 2,000 ms.",
                "rows": [["Hour", "Candidate", "Baseline"], *rows[-4:]],
            }
        ],
        "actions": [{"label": "Abort and roll back", "url": "#", "kind": "danger", "icon": "rotate-ccw"}],
    }


def _measures(latency: list[float | None]) -> list[dict[str, Any]]:
    """A number within its limit with its course, and one that is not known yet."""
    known: list[tuple[str, str, str, list[Any], float | None]] = [
        ("Error rate", "0.42 %", "at most 1.5 %", [0.3, 0.5, 0.4, 0.7, 0.4, 0.42], 1.5),
        ("p95 latency", "871 ms", "at most 2,000 ms", latency, 2000),
        ("Cost per request", "$0.0041", "at most +10 %", [4.0, 4.1, 4.05, 4.2, 4.1, 4.1], None),
    ]
    rows: list[dict[str, Any]] = []
    for name, value, limit, spark, spark_limit in known:
        row = {"name": name, "value": value, "limit": limit, "status": "ok", "spark": spark}
        rows.append(row if spark_limit is None else {**row, "spark_limit": spark_limit})
    unknown = {"name": "Schema validation", "value": "", "limit": "at least 99 %", "status": "inconclusive"}
    return [*rows[:2], {**unknown, "spark": None}, rows[2]]


def evidence(now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "kind": "file",
            "title": "rollback-drill-2026-11-23.md",
            "url": "#",
            "digest": DIGEST,
            "by": "Tomas Okafor",
            "at": now - timedelta(hours=5),
            "size": 18_204,
            "status": "submitted",
            "note": "Breach set off at 14:02, previous release serving at 14:11.",
        },
        {
            "kind": "link",
            "title": "grafana: staging error rate, 14:00 to 14:30",
            "url": "#",
            "digest": OTHER,
            "by": "Tomas Okafor",
            "at": now - timedelta(hours=5),
        },
        {
            "kind": "comment",
            "title": "Which trigger fired, error rate or p95?",
            "by": "Ines Duarte",
            "at": now - timedelta(hours=4),
        },
    ]


def statement() -> dict[str, Any]:
    return {
        "question": "release",
        "side": "Operations",
        "verdict": "go",
        "state_digest": DIGEST,
        "nonce": "1f0c",
        "meaning": "You confirm that monitoring, alerts and rollback are ready to serve everybody.",
        "facts": [
            {"name": "Canary", "value": "24 hours covered", "limit": "24 hours", "status": "ok"},
            {"name": "Error rate", "value": "0.42 %", "limit": "at most 1.5 %", "status": "ok"},
            {"name": "p95 latency", "value": "871 ms", "limit": "at most 2,000 ms", "status": "ok"},
            {"name": "Schema validation", "value": "99.71 %", "limit": "at least 99 %", "status": "ok"},
            {"name": "Spent today", "value": "$21.40", "limit": "$50.00", "status": "ok"},
            {"name": "Freeze", "value": "none", "limit": "none", "status": "ok"},
        ],
        "covers": [
            {"name": "Pins", "value": "6 approved versions"},
            {"name": "Items", "value": "38 verified, 3 not applicable"},
            {"name": "Evidence", "value": "57 artifacts, by digest"},
            {"name": "Standard", "value": "version 2"},
            {"name": "Release policy", "value": "version 3"},
            {"name": "Rollout plan", "value": "canary, 10 %, 24 hours"},
        ],
        "json": '{"domain":"readiness/sign-off/v1","meaning":"operations","nonce":"1f0c...","question":"release",'
        f'"side":"operations","state_digest":"{DIGEST}","verdict":"go"}}',
    }
