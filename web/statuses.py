"""Every status a person can meet: its word, icon and tone, in one table, so that a word means the same on every page.

Tone is never the only carrier: a pill is icon and word. `sure=False` marks what is not known (no evidence, stale, too
few data): it blocks like a failure, but is drawn with a broken outline, because it is not one.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Status:
    key: str
    word: str
    icon: str
    tone: str = "idle"  # ok, bad, warn, info, hold, idle
    sure: bool = True


_ALL = (
    # Good.
    Status("verified", "Verified", "check", "ok"),
    Status("passed", "Passed", "check", "ok"),
    Status("ok", "OK", "check", "ok"),
    Status("go", "Go", "circle-check", "ok"),
    Status("clear", "Cleared", "shield-check", "ok"),
    Status("approved", "Approved", "check", "ok"),
    Status("signed", "Signed", "signature", "ok"),
    Status("live", "Live", "rocket", "ok"),
    Status("done", "Done", "check", "ok"),
    Status("delivered", "Delivered", "check", "ok"),
    Status("sent", "Sent", "check", "ok"),
    Status("active", "Active", "check", "ok"),
    Status("normal", "Normal", "check", "ok"),
    # Bad: known, and not good.
    Status("failed", "Failed", "x", "bad"),
    Status("no-go", "No-go", "octagon-x", "bad"),
    Status("blocked", "Blocked", "ban", "bad"),
    Status("dead", "Given up", "octagon-x", "bad"),
    Status("rejected", "Rejected", "x", "bad"),
    Status("sent-back", "Sent back", "undo-2", "bad"),
    Status("exceeded", "Exceeded", "octagon-alert", "bad"),
    Status("breached", "Breached", "octagon-alert", "bad"),
    Status("overdue", "Overdue", "clock-alert", "bad"),
    Status("stopped", "Stopped", "circle-stop", "bad"),
    Status("frozen", "Frozen", "snowflake", "bad"),
    Status("rolled-back", "Rolled back", "rotate-ccw", "bad"),
    # Not known, or nearly bad.
    Status("unknown", "Unknown", "circle-question-mark", "warn", sure=False),
    Status("missing", "No evidence", "circle-dashed", "warn", sure=False),
    Status("stale", "Stale", "history", "warn", sure=False),
    Status("lapsed", "Lapsed", "timer-off", "warn", sure=False),
    Status("inconclusive", "Not enough data", "scale", "warn", sure=False),
    Status("alert", "Alert", "triangle-alert", "warn"),
    Status("degraded", "Degraded", "triangle-alert", "warn"),
    Status("fallback", "Fallback", "life-buoy", "warn"),
    Status("parked", "Parked", "circle-pause", "warn"),
    Status("retrying", "Retrying", "refresh-cw", "warn"),
    # On its way.
    Status("submitted", "To verify", "hourglass", "info"),
    Status("waiting", "Waiting", "hourglass", "info"),
    Status("in-review", "In review", "eye", "info"),
    Status("queued", "Queued", "clock", "info"),
    Status("noted", "Noted", "pen-line", "info"),
    Status("running", "Running", "loader", "info"),
    Status("pre-production", "Pre-production", "list-checks", "info"),
    Status("canary", "Canary", "bird", "info"),
    Status("shadow", "Shadow", "copy", "info"),
    # A verdict of its own.
    Status("not-applicable", "Not applicable", "circle-slash", "hold"),
    Status("proposed", "N/a proposed", "hourglass", "hold"),
    # Over, or not begun.
    Status("void", "Void", "ban", sure=False),
    Status("draft", "Draft", "pen-line"),
    Status("open", "Open", "circle"),
    Status("planned", "Planned", "calendar-clock"),
    Status("off", "Switched off", "circle-pause"),
    Status("not-started", "Not started", "circle-dashed"),
    Status("closed", "Closed", "lock"),
    Status("ended", "Ended", "circle-stop"),
    Status("superseded", "Superseded", "archive"),
    Status("abandoned", "Abandoned", "archive"),
    Status("deprecated", "Deprecated", "archive"),
    Status("retired", "Retired", "archive"),
    Status("revoked", "Revoked", "ban"),
    Status("expired", "Expired", "timer-off"),
)
STATUSES = {status.key: status for status in _ALL}

# Other words for the same thing, as models and judges spell them.
_ALIASES = {
    "pass": "passed",
    "fail": "failed",
    "na": "not-applicable",
    "none": "missing",
    "pending": "waiting",
    "n-a-proposed": "proposed",
    "success": "done",
}


_URGENCY = {"bad": 0, "warn": 1, "info": 2}


def urgency(value: object) -> int:
    """What a reader should see first: what failed, what is in doubt, what waits; what nobody began comes last."""
    status = status_of(value)
    return 3 if status.key in ("missing", "not-started") else _URGENCY.get(status.tone, 4)


def status_of(value: object) -> Status:
    """The status for a word of the code ("sent_back", State.ROLLED_BACK); an unlisted one shows itself, unsure."""
    key = str(value or "unknown").lower().replace("_", "-").replace(" ", "-")
    key = _ALIASES.get(key, key)
    if found := STATUSES.get(key):
        return found
    return Status(key, str(value).replace("_", " ").capitalize(), "circle-question-mark", sure=False)
