"""One item: its guidance, its evidence, its history, and what may be done to it."""

import mimetypes
from datetime import datetime
from pathlib import PurePath
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import person as signed_in
from accounts.models import User
from accounts.queries import is_member
from audit import ledger, vault
from metrics import egress
from releases import presenting
from releases.actions import checklist
from releases.decisions import standing
from releases.errors import InvalidInput, Refused, StateMoved
from releases.models import Evidence, Item, Release
from releases.standard.published import definition_of
from releases.views.release import find, head, question_now
from web.problems import NotFound, Problem

# Shown inside the page; everything else is a download (served sandboxed all the same).
SHOWN_AS_TEXT = ("text/plain", "text/csv", "text/markdown", "application/json")
SHOWN_AS_IMAGE = ("image/png", "image/jpeg", "image/gif", "image/webp")


def find_item(release: Release, key: str) -> Item:
    item = (
        release.items.select_related("owner", "verified_by")
        .prefetch_related("evidence__attached_by")
        .filter(key=key)
        .first()
    )
    if item is None:
        raise NotFound(f"This release has no item {key}.")
    return item


@require_http_methods(["GET", "POST"])
def detail(request: HttpRequest, slug: str, label: str, key: str) -> HttpResponse:
    release = find(request, slug, label)
    item = find_item(release, key)
    now = timezone.now()
    error: Problem | None = None
    if request.method == "POST":
        try:
            act(request, release, item, now=now)
        except (InvalidInput, StateMoved, Refused) as problem:
            error = problem
            item = find_item(release, key)
        else:
            return redirect(
                (request.POST.get("next") == "list" and presenting.release_url(release))
                or presenting.release_url(release, "item", key=key)
            )
    return render(
        request,
        "releases/item.html",
        context(request, release, item, error, now=now),
        status=error.status if error else 200,
    )


def context(
    request: HttpRequest, release: Release, item: Item, error: Problem | None, *, now: datetime
) -> dict[str, Any]:
    found = standing(release, question_now(release), now=now)
    row = next(row for row in presenting.rows(found, release) if row.item.key == item.key)
    keys = [definition.key for definition in definition_of(release.standard).items]
    at = keys.index(item.key)
    return {
        **head(request, release, found, now=now),
        "row": row,
        "item": item,
        "definition": row.definition,
        "superseded": [e for e in item.evidence.all() if e.superseded_at],
        "moves": presenting.item_moves(item, release, user=signed_in(request), now=now),
        "members": members(release, now=now),
        "entries": ledger.entries(subject=item.subject).order_by("-index")[:30],
        "previous_key": keys[at - 1] if at else None,
        "next_key": keys[at + 1] if at + 1 < len(keys) else None,
        "error": error,
        "values": request.POST,
    }


def members(release: Release, *, now: datetime) -> list[User]:
    return [
        user
        for user in User.objects.filter(is_active=True).order_by("name")
        if is_member(user, system=release.system.slug, now=now)
    ]


def act(request: HttpRequest, release: Release, item: Item, *, now: datetime) -> None:
    by = signed_in(request)
    common: dict[str, Any] = {
        "release_id": release.pk,
        "key": item.key,
        "by": by,
        "now": now,
        "revision": _revision(request),
    }
    reason = request.POST.get("reason", "")
    match request.POST.get("act"):
        case "assign":
            owner = request.POST.get("owner")
            chosen = User.objects.filter(pk=owner).first() if owner else None
            checklist.assign_item(owner=chosen, **common)
        case "attach":
            attach(request, common)
            messages.success(request, "Evidence is attached. Another person verifies it.")
        case "verify":
            checklist.verify_item(digests=request.POST.getlist("digest"), **common)
            messages.success(request, "Verified.")
        case "send-back":
            checklist.send_back(reason=reason, **common)
        case "propose":
            checklist.propose_not_applicable(reason=reason, **common)
        case "confirm":
            checklist.confirm_not_applicable(**common)
        case "withdraw":
            checklist.withdraw_not_applicable(**common)
        case _:
            raise InvalidInput("Nothing was chosen.")


def _revision(request: HttpRequest) -> int:
    raw = request.POST.get("revision", "")
    if not raw.isdigit():
        raise InvalidInput("The revision of the item that you saw is missing. Open the page again.")
    return int(raw)


def attach(request: HttpRequest, common: dict[str, Any]) -> Evidence:
    """A file, a link of which we keep what it answers now, or a record written here."""
    title, note = request.POST.get("title", ""), request.POST.get("note", "")
    shared = {"note": note, "replace": bool(request.POST.get("replace")), **common}
    if uploaded := request.FILES.get("file"):
        name = PurePath(uploaded.name or "file").name
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return checklist.attach_evidence(
            kind="file", title=title or name, content=uploaded.read(), media_type=media_type, **shared
        )
    if url := request.POST.get("url", "").strip():
        answer = egress.fetch(url)
        media_type = answer.headers.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()
        return checklist.attach_evidence(
            kind="link", title=title or url, content=answer.body, media_type=media_type, url=url, **shared
        )
    if text := request.POST.get("text", "").strip():
        return checklist.attach_evidence(
            kind="record", title=title or "Record", content=text.encode(), media_type="text/plain", **shared
        )
    raise InvalidInput("Choose a file, give a link, or write a record.")


def find_evidence(request: HttpRequest, slug: str, label: str, key: str, evidence: str) -> Evidence:
    release = find(request, slug, label)
    found = Evidence.objects.filter(pk=evidence, item__release=release, item__key=key).first()
    if found is None:
        raise NotFound("There is no such evidence on this item.")
    return found


@require_GET
def evidence(request: HttpRequest, slug: str, label: str, key: str, evidence: str) -> HttpResponse:
    """The bytes, checked against their digest, and served so that they can never run as a page of ours."""
    found = find_evidence(request, slug, label, key, evidence)
    content = vault.get(found.digest)
    inline = "view" in request.GET and found.media_type in (*SHOWN_AS_TEXT, *SHOWN_AS_IMAGE)
    media_type = (
        found.media_type
        if found.media_type in SHOWN_AS_IMAGE
        else "text/plain; charset=utf-8"
        if inline
        else "application/octet-stream"
    )
    response = HttpResponse(content, content_type=media_type)
    response["Content-Disposition"] = content_disposition_header(not inline, found.title) or "attachment"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    return response
