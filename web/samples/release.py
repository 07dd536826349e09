"""Sample contexts for the component page: one believable release, told in the shapes that the templates document.

Nothing here is stored, and nothing is imported from the packages above; the templates are the contract.
"""

from datetime import datetime, timedelta
from typing import Any

from django.utils.safestring import SafeString

DIGEST = "sha256:9c1f04aabbe27d60c3f85512ee90a1b477f0d4c6a21b8e5f3390bd1c7742e2aa"
OTHER = "sha256:41d0c7be22ffa9016b3e5d8c90741a7758b2c3d90e6f4a1bd27795cc0e83b610"

PROMPT_OLD = """You are the support assistant of Harbour Bank.
Answer from the sources given. If the sources do not answer, say so.
Keep the answer under 120 words.
Never ask for a password or a full card number.
Name the sources you used.
If the customer is upset, offer a person."""
PROMPT_NEW = """You are the support assistant of Harbour Bank.
Answer only from the sources given. If they do not answer, say so and offer a person.
Keep the answer under 90 words.
Never ask for a password or a full card number.
Name the id of each source you used.
If the customer is upset, offer a person.
Answer in the language of the customer."""

GUIDANCE = SafeString("""
<p>Set off a breach in staging, let the trigger fire, and bring back the previous release.</p>
<ul>
  <li>When the breach began, and when the previous release served again</li>
  <li>Who took part</li>
  <li>The log of the deployment system</li>
</ul>""")


def release(now: datetime, stage: str = "pre-production") -> dict[str, Any]:
    return {
        "label": "2026.11.4",
        "system": {"name": "Support assistant", "slug": "support-assistant", "url": "#"},
        "stage": stage,
        "url": "#",
        "opened_at": now - timedelta(days=3),
        "opened_by": "Mara Lindqvist",
        "summary": [
            {"name": "prompt", "value": "v14"},
            {"name": "model", "value": "gpt-4.1-mini"},
            {"name": "dataset", "digest": DIGEST},
            {"name": "score", "value": "0.846"},
        ],
    }


def questions(open_question: str, status: str) -> list[dict[str, Any]]:
    second = open_question == "release"
    return [
        {
            "name": "Canary",
            "title": "May it meet its first users?",
            "url": "#",
            "here": not second,
            "status": "closed" if second else status,
            "note": "go, 22 hours ago" if second else "",
        },
        {
            "name": "Release",
            "title": "May it serve everybody?",
            "url": "#",
            "here": second,
            "status": status if second else "not-started",
            "note": "" if second else "asked during the canary",
        },
    ]


def gate_no_go(now: datetime) -> dict[str, Any]:
    return {
        "question": "canary",
        "verdict": "no-go",
        "headline": "7 things remain before the canary",
        "checked_at": now - timedelta(minutes=1),
        "policy": "release policy 3",
        "counts": {"verified": 24, "not-applicable": 3, "submitted": 2, "stale": 1, "missing": 3, "failed": 1},
        "reasons": [
            _reason("failed", "Evaluation: 0.813 is below baseline 0.820 + 0.02", "Engineering", "Open the run"),
            _reason(
                "missing", "Rollback drill in staging has no evidence", "Tomas Okafor, operations", "Attach evidence"
            ),
            _reason(
                "missing",
                "Budget alarm: no drill shows that it fires within 5 minutes",
                "Ines Duarte, operations",
                "Attach evidence",
            ),
            _reason(
                "stale", "Contract probe was made for prompt v13; this release pins v14", "Engineering", "Run it again"
            ),
            _reason("submitted", "Runbook for model outage waits for a second person", "Operations", "Verify"),
            _reason("submitted", "Access control for model keys waits for a second person", "Platform owner", "Verify"),
            _reason("missing", "Is there a clear path to human handoff? Not answered", "Product", "Answer"),
        ],
        "warnings": [
            _reason(
                "alert",
                "Release policy 4 was approved yesterday; this release may use 3 until 7 December",
                "Product",
                "Compare",
            )
        ],
        "passed": [
            {"sentence": "No freeze on the system", "url": "#"},
            {"sentence": "Daily budget: $21.40 of $50.00", "url": "#"},
            {"sentence": "24 blocking items verified", "url": "#"},
            {"sentence": "Standard 2 is current", "url": "#"},
        ],
    }


def gate_go(now: datetime, *, cleared: bool = False) -> dict[str, Any]:
    return {
        "question": "release",
        "verdict": "go",
        "cleared": cleared,
        "headline": "both sides have signed; it may be promoted"
        if cleared
        else "all conditions hold; two signatures remain",
        "checked_at": now,
        "policy": "release policy 3",
        "counts": {"verified": 38, "not-applicable": 3},
        "reasons": [],
        "warnings": [],
        "passed": gate_no_go(now)["passed"],
    }


def gate_canary(now: datetime) -> dict[str, Any]:
    return {
        **gate_no_go(now),
        "question": "release",
        "headline": "3 things remain before the full release",
        "counts": {"verified": 33, "not-applicable": 3, "running": 2, "inconclusive": 1},
        "reasons": [
            _reason("running", "Canary: 21 of 24 hours covered without a breach", "Measured by the product", "Watch"),
            _reason(
                "inconclusive",
                "Schema validation: 212 of 300 requests; 88 more decide it",
                "Measured by the product",
                "Watch",
            ),
            _reason("submitted", "PII sample of 200 records waits for a second person", "Privacy", "Verify"),
        ],
        "warnings": [],
    }


def _reason(status: str, sentence: str, who: str, action: str) -> dict[str, str]:
    return {"code": status, "status": status, "sentence": sentence, "who": who, "url": "#", "action": action}


def item(now: datetime) -> dict[str, Any]:
    return {
        "key": "rollback-drill",
        "title": "Rollback drilled in staging, back within 30 minutes",
        "status": "submitted",
        "guidance": GUIDANCE,
        "section": "Operations and recovery",
        "phase": "Pre-production",
        "blocking": True,
        "verification": "a second person, on evidence",
        "accepts": "file, link, drill record",
        "validity": "90 days",
        "owner": "Tomas Okafor",
        "owner_role": "Operations",
        "lapses_at": now + timedelta(days=85),
    }
