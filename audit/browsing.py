"""The auditor's list of entries: `key:value` words to a query, within what this person may see."""

from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from audit import actors
from audit.explorer import moment_of
from audit.models import Entry
from web.filters import Filter, parse_tokens

KEYS = ("kind", "subject", "actor", "system", "since", "until")

# One step of the index per system, however many entries each has.
_SYSTEMS = """
    WITH RECURSIVE step AS (
        (SELECT system FROM audit_entry ORDER BY system LIMIT 1)
        UNION ALL
        SELECT (SELECT e.system FROM audit_entry e WHERE e.system > step.system ORDER BY e.system LIMIT 1)
        FROM step WHERE step.system IS NOT NULL
    )
    SELECT system FROM step WHERE system IS NOT NULL
"""


@dataclass(frozen=True)
class Found:
    rows: QuerySet[Entry]
    filter: Filter


def visible(reader: Any, *, token: Any = None) -> QuerySet[Entry]:
    """All entries for whoever holds a role everywhere; else those of one's systems. A token of one system sees that."""
    rows = Entry.objects.all()
    if token is not None and token.system:
        return rows.filter(system=token.system) if reader.has_perm("audit.browse", token.system) else rows.none()
    if reader.has_perm("audit.browse"):
        return rows
    with connection.cursor() as cursor:
        cursor.execute(_SYSTEMS)
        slugs = [slug for (slug,) in cursor.fetchall() if slug]
    return rows.filter(system__in=[slug for slug in slugs if reader.has_perm("audit.browse", slug)])


def search(query: str, rows: QuerySet[Entry], *, now: datetime) -> Found:
    """Entries that have all of the words; of two values for one key, either."""
    asked = parse_tokens(query, KEYS)
    words = asked.tokens
    if "system" in words:
        rows = rows.filter(system__in=words["system"])
    if "subject" in words:
        rows = rows.filter(subject__in=words["subject"])
    if "actor" in words:
        rows = rows.filter(actor_id__in=[actor for word in words["actor"] for actor in actors.find(word)])
    if "kind" in words:
        rows = rows.filter(reduce(or_, map(_of_kind, words["kind"])))
    if "since" in words:
        first = _at(Entry.objects.filter(recorded_at__gte=moment_of(asked.first("since"), now)).order_by("recorded_at"))
        rows = rows.none() if first is None else rows.filter(index__gte=first)
    if "until" in words:
        last = _at(Entry.objects.filter(recorded_at__lt=moment_of(asked.first("until"), now)).order_by("-recorded_at"))
        rows = rows.none() if last is None else rows.filter(index__lte=last)
    if asked.text:  # what people type first: a name, or a kind
        rows = rows.filter(_of_kind(asked.text) | Q(actor_id__in=actors.find(asked.text)))
    return Found(rows, asked)


def _of_kind(word: str) -> Q:
    """`release.opened` is that kind; `release` is all that was done to releases."""
    return Q(kind=word) if "." in word else Q(kind__startswith=f"{word}.")


def _at(rows: QuerySet[Entry]) -> int | None:
    """Times as places: entries stand in the order of the database's clock, and a list is read by place."""
    return rows.values_list("index", flat=True).first()


def neighbours(entry: Entry, rows: QuerySet[Entry]) -> dict[str, int | None]:
    """The entries before and after, in the log and about the same subject, among those that may be seen."""
    about = rows.filter(subject=entry.subject)
    return {
        "previous": _at(rows.filter(index__lt=entry.index).order_by("-index")),
        "next": _at(rows.filter(index__gt=entry.index).order_by("index")),
        "previous_about": _at(about.filter(index__lt=entry.index).order_by("-index")),
        "next_about": _at(about.filter(index__gt=entry.index).order_by("index")),
    }


def same_act_before(entry: Entry, rows: QuerySet[Entry]) -> Entry | None:
    """The last entry of the same kind about the same subject: what is said now, beside what was said before."""
    return rows.filter(subject=entry.subject, kind=entry.kind, index__lt=entry.index).order_by("-index").first()
