"""Where one can go: the side navigation and the command palette read this one table.

Pages are named by route, so this file knows no package above it; a route that does not exist yet is left out.
"""

import re
from dataclasses import dataclass, replace
from functools import cache

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


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str
    icon: str
    key: str
    hint: str
    here: bool = False


def entries(group: tuple[Entry, ...], request: HttpRequest) -> tuple[Link, ...]:
    """What this person may go to, with the entry that the open page belongs to marked."""
    found = _open_to(group, _allowed(request))
    surely = [_belongs(request.path, entry, link.url) for entry, link in found]
    best = max(surely, default=0)
    return tuple(replace(link, here=best > 0 and sure == best) for (_, link), sure in zip(found, surely, strict=True))


def palette(request: HttpRequest) -> tuple[Link, ...]:
    return _palette(_allowed(request))


@cache
def _palette(allowed: frozenset[str]) -> tuple[Link, ...]:
    groups = ((WORK, "Go to"), (ADMIN, "Administration"), (ACCOUNT, "Account"), (FINDERS, ""))
    return tuple(
        replace(link, url=link.url + entry.query, hint=link.hint or hint)
        for group, hint in groups
        for entry, link in _open_to(group, allowed)
    )


@cache  # the routes of a process do not change
def _open_to(group: tuple[Entry, ...], allowed: frozenset[str]) -> tuple[tuple[Entry, Link], ...]:
    found = []
    for entry in group:
        if entry.permission and entry.permission not in allowed:
            continue
        try:
            url = reverse(entry.route)
        except NoReverseMatch:
            continue
        found.append((entry, Link(entry.label, url, entry.icon, entry.key, entry.hint)))
    return tuple(found)


def _allowed(request: HttpRequest) -> frozenset[str]:
    """Asked once for a page, which shows its navigation and its palette alike."""
    allowed: frozenset[str] | None = request.__dict__.get("_navigation_allowed")
    if allowed is None:
        user = getattr(request, "user", None)
        asked = {entry.permission for entry in (*WORK, *ADMIN, *ACCOUNT, *FINDERS) if entry.permission}
        allowed = frozenset(permission for permission in asked if user and user.has_perm(permission))
        request.__dict__["_navigation_allowed"] = allowed
    return allowed


def _belongs(path: str, entry: Entry, url: str) -> int:
    """How surely the open page belongs to an entry: it is the page, the entry covers it, it lies below it; or not."""
    if path == url:
        return 3
    if entry.covers and re.match(entry.covers, path):
        return 2
    return 1 if url != "/" and path.startswith(url) else 0
