"""Where one can go: the side navigation and the command palette read this one table.

Pages are named by route, so this file knows no package above it; a route that does not exist yet is left out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse


@dataclass(frozen=True)
class Entry:
    label: str
    route: str
    icon: str
    key: str = ""  # "g" and then this letter goes there
    permission: str = ""
    hint: str = ""
    covers: str = ""  # a pattern of addresses that belong here, though they begin like another entry's
    query: str = ""  # for the palette: what follows the address, with {q} for the words typed


WORK = (
    Entry("My work", "releases:work", "inbox", "w"),
    Entry("Releases", "releases:list", "rocket", "r", covers=r"/(systems/[^/]+/releases|standards?|decisions)/"),
    Entry("Systems", "systems:list", "boxes", "s"),
    Entry("Requests", "audit:requests", "activity", "q"),
    Entry("Ledger", "audit:ledger", "scroll-text", "l"),
)
ADMIN = (
    Entry("People", "accounts:people", "users", "p", permission="accounts.manage"),
    Entry("Settings", "operations:settings", "settings", "t", permission="accounts.manage"),
)
ACCOUNT = (
    Entry("Account security", "mfa_index", "shield", hint="Passkeys, codes"),
    Entry("Change password", "account_change_password", "key-round"),
    Entry("Sessions", "usersessions_list", "monitor"),
)
# Only in the palette. Addresses with {q} take the words that were typed.
FINDERS = (
    Entry("Find request", "audit:requests", "search", hint="Requests", query="?q={q}"),
    Entry("Find release", "releases:list", "search", hint="Releases", query="?q={q}"),
    Entry("Components of the interface", "components", "shapes"),
)


def entries(group: tuple[Entry, ...], request: HttpRequest) -> Iterator[dict[str, Any]]:
    """What this person may go to, with the entry that the open page belongs to marked."""
    found = []
    for entry in group:
        if entry.permission and not _may(request, entry.permission):
            continue
        if address := _address(entry.route):
            found.append((entry, address))
    best = max((_belongs(request, entry, url) for entry, url in found), default=0)
    for entry, url in found:
        yield {
            "label": entry.label,
            "url": url + entry.query,
            "icon": entry.icon,
            "key": entry.key,
            "hint": entry.hint,
            "here": best > 0 and _belongs(request, entry, url) == best,
        }


@cache  # the routes of a process do not change
def _address(route: str) -> str | None:
    try:
        return reverse(route)
    except NoReverseMatch:
        return None


def _may(request: HttpRequest, permission: str) -> bool:
    """Asked once for a page, which shows its navigation and its palette alike."""
    answers: dict[str, bool] = request.__dict__.setdefault("_navigation_answers", {})
    if permission not in answers:
        user = getattr(request, "user", None)
        answers[permission] = bool(user and user.has_perm(permission))
    return answers[permission]


def _belongs(request: HttpRequest, entry: Entry, url: str) -> int:
    """How surely the open page belongs to an entry: it is the page, the entry covers it, it lies below it; or not."""
    if request.path == url:
        return 3
    if entry.covers and re.match(entry.covers, request.path):
        return 2
    return 1 if url != "/" and request.path.startswith(url) else 0


def palette(request: HttpRequest) -> list[dict[str, str]]:
    found = []
    for group, hint in ((WORK, "Go to"), (ADMIN, "Administration"), (ACCOUNT, "Account"), (FINDERS, "")):
        for entry in entries(group, request):
            found.append({"label": entry["label"], "url": entry["url"], "hint": entry["hint"] or hint})
    return found
