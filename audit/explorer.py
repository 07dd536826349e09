"""The auditor's list of requests: `key:value` words to a query, within what this person may see."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from django.db.models import Q, QuerySet

from audit.models import Request, Rollup
from audit.rollups import DAILY
from web.filters import Filter, parse_tokens
from web.problems import BadRequest

KEYS = (
    "system",
    "environment",
    "release",
    "prompt",
    "model",
    "outcome",
    "error",
    "source",
    "tenant",
    "since",
    "until",
    "id",
)
ORDER = ("-started_at", "-id")
OUTCOMES: dict[str, Q] = {
    "ok": Q(failed=False) & ~Q(output_ok=False),
    "error": Q(failed=True),
    "invalid": Q(output_ok=False) | Q(input_ok=False),
    "unapproved": Q(approval=Request.Approval.UNAPPROVED),
    "fallback": ~Q(fallback=""),
    "handoff": Q(handoff=True),
    "timeout": Q(timeouts__gt=0),
    "retried": Q(retries__gt=0),
    "broken-chain": Q(complete=False),
    "unknown-cost": Q(cost_nanousd=None),
}
# No index serves these: without a time of their own they look at the last week.
_NARROWING = frozenset({"model", "outcome", "error", "source", "tenant", "environment"})
_WINDOW = timedelta(days=7)
_AGO = re.compile(r"(\d{1,4})(m|h|d)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Reader(Protocol):
    def has_perm(self, perm: str, obj: str | None = None, /) -> bool: ...


@dataclass(frozen=True)
class Search:
    rows: QuerySet[Request]
    filter: Filter
    since: datetime | None
    assumed: bool  # `since` was added here, and the page says so
    within: str = ""  # see web.paging: "system", where it is one

    @property
    def order(self) -> tuple[str, ...]:
        """Newest first."""
        return (self.within, *ORDER) if self.within else ORDER


def systems_with_traffic() -> list[str]:
    known = Rollup.objects.filter(width=DAILY).order_by("system").values_list("system", flat=True).distinct()
    return list(known)


def readable_systems(reader: Reader) -> list[str]:
    """The systems with traffic whose trail this person may read."""
    known = systems_with_traffic()
    if reader.has_perm("audit.browse"):
        return known
    return [slug for slug in known if reader.has_perm("audit.browse", slug)]


def search(query: str, *, systems: Iterable[str], now: datetime) -> Search:
    """Requests of these systems that have all of the words; of two values for one key, either."""
    asked = parse_tokens(query, KEYS)
    systems = list(systems)
    alone = _one_system(asked, systems)
    rows = Request.objects.filter(system__range=(alone, alone)) if alone else Request.objects.filter(system__in=systems)
    for key, values in asked.tokens.items():
        if key in _FILTERS and not (alone and key == "system"):
            condition = Q(pk__in=[])
            for value in values:
                condition |= _FILTERS[key](value)
            rows = rows.filter(condition)
    if asked.text:
        rows = rows.filter(_identified(asked.text))
    since = moment_of(asked.first("since"), now) if "since" in asked.tokens else None
    assumed = since is None and bool(_NARROWING & asked.tokens.keys())
    if assumed:
        since = now - _WINDOW
    if since is not None:
        rows = rows.filter(started_at__gte=since)
    if "until" in asked.tokens:
        rows = rows.filter(started_at__lt=moment_of(asked.first("until"), now))
    return Search(rows, asked, since, assumed, within="system" if alone else "")


def _one_system(asked: Filter, systems: Sequence[str]) -> str | None:
    """The system, where one is asked for, and besides it nothing but a time. Its index is read then; left alone,
    PostgreSQL may go through all that is newer of others: it knows how many rows each system has, but not when."""
    named = set(asked.tokens.get("system") or systems)
    narrowed = asked.text or not asked.tokens.keys() <= {"system", "since", "until"}
    return None if narrowed or len(named) != 1 or not named <= set(systems) else named.pop()


def _identified(text: str) -> Q:
    """By the id that is quoted, or the trace id."""
    found = Q(request_id=text)
    if re.fullmatch(r"[0-9a-fA-F-]{32,36}", text) and len(text.replace("-", "")) == 32:
        found |= Q(trace_id=text)
    return found


def _outcome(value: str) -> Q:
    if value not in OUTCOMES:
        raise BadRequest(f"outcome is one of {', '.join(OUTCOMES)}.")
    return OUTCOMES[value]


def _prompt(value: str) -> Q:
    """A name, a version, both as name@version, or the beginning of a hash."""
    if value.startswith("sha256:"):
        return Q(prompt_hash__startswith=value)
    name, at, version = value.rpartition("@")
    if at:
        return Q(prompt_name=name, prompt_version=version)
    return Q(prompt_name=value) | Q(prompt_version=value)


_FILTERS: dict[str, Callable[[str], Q]] = {
    "system": lambda value: Q(system=value),
    "environment": lambda value: Q(environment=value),
    "release": lambda value: Q(release=value),
    "prompt": _prompt,
    "model": lambda value: Q(models_seen__contains=[value]),
    "outcome": _outcome,
    "error": lambda value: Q(error_type=value),
    "source": lambda value: Q(source_ids__contains=[value]),
    "tenant": lambda value: Q(tenant=value),
    "id": _identified,
}


def moment_of(text: str, now: datetime) -> datetime:
    """`24h`, `7d`, `30m` ago, a date, or a time; without a zone it is UTC."""
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"{text!r} is not a time: write 24h, 7d, 2026-11-24 or 2026-11-24T10:00Z.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
