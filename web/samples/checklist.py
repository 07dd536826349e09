"""A checklist in mid-release for the component page: an item in every state that the templates know."""

from typing import Any

_MEASURED = "measured by the product"


def _item(key: str, title: str, status: str, owner: str, role: str, evidence: str = "", **more: Any) -> dict[str, Any]:
    item = {
        "key": key,
        "title": title,
        "status": status,
        "owner": owner,
        "owner_role": role,
        "evidence": evidence,
        "url": "#",
    }
    if evidence and status != "running":
        item["evidence_url"] = "#"
    if status in ("missing", "failed", "stale", "lapsed", "sent-back"):
        item["attach_url"] = "#"
    if status == "submitted":
        item["verify_url"] = "#"
    return {**item, **more}


def _contracts() -> list[dict[str, Any]]:
    who = ("Jonas Weber", "Engineering")
    return [
        _item("input-schema", "Input schema enforced", "verified", *who, "probe-0418.json"),
        _item("context-cap", "Context length capped at 12 000 characters", "verified", *who, "probe-0418.json"),
        _item(
            "contract-probe",
            "Violations are rejected and logged",
            "stale",
            *who,
            "probe-0397.json",
            note="made for prompt v13",
        ),
    ]


def _evaluation() -> list[dict[str, Any]]:
    mara = ("Mara Lindqvist", "Product")
    bar, golden = "Candidate beats baseline by 0.02", "Golden set created, reviewed and representative"
    return [
        _item("eval-gate", bar, "failed", "Jonas Weber", "Engineering", "run 0.813, 300 cases", note=_MEASURED),
        _item("golden-set", golden, "verified", *mara, "golden v9"),
        _item("harm-tests", "Harmful-output tests included", "verified", *mara, "golden v9", note="lapses in 12 days"),
    ]


def _recovery() -> list[dict[str, Any]]:
    ines, tomas = ("Ines Duarte", "Operations"), ("Tomas Okafor", "Operations")
    consumers = ("consumers", "Compatibility note for consumers", "not-applicable")
    return [
        _item("budget-alarm", "Budget alarm fires within 5 minutes of a breach", "missing", *ines),
        _item("rollback-drill", "Rollback drilled in staging, back within 30 minutes", "missing", *tomas),
        _item("runbook-outage", "Runbook for model outage", "submitted", *ines, "runbook v3"),
        _item(*consumers, "Mara Lindqvist", "Product", "one consumer"),
    ]


def _launch() -> list[dict[str, Any]]:
    sources = "Every request names its sources"
    return [
        _item("canary", "Canary holds for 24 hours", "not-started", "Tomas Okafor", "Operations", note=_MEASURED),
        _item("source-ids", sources, "not-started", "Jonas Weber", "Engineering", note=_MEASURED),
        _item("on-call", "Cost alerts reach an on-call channel", "unknown", "", "", assign_url="#"),
    ]


def checklist() -> dict[str, Any]:
    return {
        "standard": "Standard 2, pinned",
        "standard_url": "#",
        "filters": filters(),
        "phases": [
            {
                "title": "Pre-production",
                "note": "blocks the canary",
                "open": True,
                "done": 27,
                "total": 34,
                "counts": {"verified": 24, "not-applicable": 3, "submitted": 2, "stale": 1, "missing": 3, "failed": 1},
                "sections": [
                    {"title": "Contracts and limits", "items": _contracts()},
                    {"title": "Evaluation", "items": _evaluation()},
                    {"title": "Operations and recovery", "items": _recovery()},
                ],
            },
            {
                "title": "Launch",
                "note": "blocks the full release",
                "open": True,
                "done": 0,
                "total": 9,
                "counts": {"not-started": 8, "unknown": 1},
                "sections": [{"title": "On production traffic", "items": _launch()}],
            },
            {
                "title": "Post-launch",
                "note": "within 7 days; never blocks this release",
                "open": False,
                "done": 0,
                "total": 5,
                "counts": {"not-started": 5},
                "sections": [{"title": "Review", "items": []}],
            },
        ],
    }


def filters() -> dict[str, Any]:
    return {
        "q": "",
        "placeholder": "status:missing owner:ines",
        "quick": [
            {"label": "All", "url": "#", "here": True, "n": 48},
            {"label": "Blocking", "url": "#", "n": 7},
            {"label": "Mine", "url": "#", "n": 4},
            {"label": "To verify", "url": "#", "n": 2},
        ],
    }
