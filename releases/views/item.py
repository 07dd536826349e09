"""One item: its guidance, its evidence, its history, and what may be done to it."""

import json
import mimetypes
from pathlib import PurePath
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_POST

from accounts.access import person as signed_in
from accounts.models import User
from audit import vault
from metrics import egress
from releases import pdf
from releases.actions import applicability, checklist
from releases.actions.probing import order_probe
from releases.actions.recording import attach_record
from releases.decisions import standing
from releases.errors import InvalidInput, Refused, StateMoved
from releases.forms import AttachForm, ProbeForm, RecordForm, due_at
from releases.models import Evidence, Release
from releases.presenting import item as item_context
from releases.presenting import page, rows, viewer
from releases.presenting.probing import find_probe, shown
from releases.records import kind_of
from releases.views.release import find
from web.problems import NotFound, Problem, TooLarge

PANELS = ("assign", "attach", "verify", "comment")
PANEL = "releases/parts/panel.html"
# Shown inside the page; everything else is a download (and sandboxed all the same).
SHOWN_AS_TEXT = ("text/plain", "text/csv", "text/markdown", "application/json")
SHOWN_AS_IMAGE = viewer.IMAGES


@require_GET
def detail(request: HttpRequest, slug: str, label: str, key: str) -> HttpResponse:
    return _page(request, find(request, slug, label), key)


@require_POST
def act(request: HttpRequest, slug: str, label: str, key: str, act: str) -> HttpResponse:
    """Assign, attach, verify, send back, propose, confirm, withdraw. A refusal shows the page again, nothing lost."""
    release = find(request, slug, label)
    if not release.items.filter(key=key).exists():
        raise NotFound(f"This release has no item {key}.")
    inline = "HX-Request" in request.headers
    try:
        said = _do(request, release, key, act)
    except (InvalidInput, StateMoved, Refused, TooLarge, egress.EgressError) as problem:
        return _page(request, release, key, error=problem, act=act, template=PANEL if inline else "")
    if inline:
        return HttpResponse(status=204, headers={"HX-Trigger": json.dumps({"item-done": {"said": said}})})
    messages.success(request, said)
    return redirect(rows.release_url(release, "item", key=key))


@require_GET
def panel(request: HttpRequest, slug: str, label: str, key: str, act: str) -> HttpResponse:
    """One act on an item, for the dialog over the checklist: assign, attach, verify, comment."""
    if act not in PANELS:
        raise NotFound("There is no such panel.")
    return _page(request, find(request, slug, label), key, act=act, template=PANEL)


def _page(
    request: HttpRequest,
    release: Release,
    key: str,
    *,
    error: Problem | None = None,
    act: str = "",
    template: str = "",
) -> HttpResponse:
    now = timezone.now()
    found = standing(release, page.question_now(release), now=now)
    row = next((row for row in rows.rows(found, release) if row.item.key == key), None)
    if row is None:
        raise NotFound(f"This release has no item {key}.")
    context = {
        **page.head(release, found, now=now),
        **item_context.item_page(
            release, row, user=signed_in(request), now=now, error=error, posted=request.POST if error else None, act=act
        ),
    }
    if template:  # htmx swaps a 422 in, and nothing else that is refused
        context |= {"act": "verify" if act == "send-back" else act, "comment_count": row.comments}
        return render(request, template, context, status=422 if error else 200)
    return render(request, "releases/item.html", context, status=error.status if error else 200)


def _do(request: HttpRequest, release: Release, key: str, act: str) -> str:
    common: dict[str, Any] = {
        "release_id": release.pk,
        "key": key,
        "by": signed_in(request),
        "now": timezone.now(),
        "revision": _revision(request),
    }
    reason = request.POST.get("reason", "")
    match act:
        case "assign":
            chosen = rows.uuid_or_none(request.POST.get("owner"))
            owner = User.objects.filter(pk=chosen).first() if chosen else None
            if chosen and owner is None:
                raise InvalidInput("There is nobody with this id.")
            checklist.assign_item(owner=owner, due_at=due_at(request.POST.get("due", "")), **common)
            return f"{owner} owns it now." if owner else "It has no owner now."
        case "comment":
            common.pop("revision")
            checklist.comment_item(text=request.POST.get("text", ""), **common)
            return "Your comment is there."
        case "attach":
            _attach(request, common)
            return "Evidence is attached. Another person verifies it."
        case "probe":
            _probe(request, common)
            return "The probe is ordered. What comes back is attached here."
        case "verify":
            checklist.verify_item(digests=request.POST.getlist("digest"), **common)
            return "Verified."
        case "send-back":
            checklist.send_back(reason=reason, **common)
            return "Sent back."
        case "propose":
            applicability.propose_not_applicable(reason=reason, **common)
            return "Proposed. Another person confirms it."
        case "confirm":
            applicability.confirm_not_applicable(**common)
            return "Confirmed: it does not apply to this release."
        case "withdraw":
            applicability.withdraw_not_applicable(**common)
            return "It applies again."
    raise NotFound("There is no such act.")


def _revision(request: HttpRequest) -> int:
    raw = request.POST.get("revision", "")
    if not raw.isdigit() or len(raw) > 9:
        raise InvalidInput("The revision of the item that you saw is missing. Open the page again.")
    return int(raw)


def _attach(request: HttpRequest, common: dict[str, Any]) -> Evidence:
    """A file, a link of which we keep what it answers now, or a record filled in here."""
    accepts = item_context.accepted(common["release_id"], common["key"])
    if record := request.POST.get("record"):
        return _attach_record(request, record, accepts, common)
    form = AttachForm(request.POST, request.FILES, accepts=accepts)
    if not form.is_valid():
        raise InvalidInput(str(next(iter(form.errors.values()))[0]))
    data = form.cleaned_data
    common |= {"note": data["note"], "replace": data["replace"]}
    if uploaded := data.get("file"):
        if uploaded.size > settings.EVIDENCE_MAX_BYTES:  # before a byte of it is read into memory
            limit = settings.EVIDENCE_MAX_BYTES // 2**20
            raise TooLarge(f"Evidence is limited to {limit} MiB. Attach a link with a digest instead.")
        name = PurePath(uploaded.name or "file").name
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return checklist.attach_evidence(
            kind="file", title=data["title"] or name, content=uploaded.read(), media_type=media_type, **common
        )
    url = data["url"]
    answer = egress.fetch(url)
    media_type = answer.headers.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()
    return checklist.attach_evidence(
        kind="link", title=data["title"] or url, content=answer.body, media_type=media_type, url=url, **common
    )


def _attach_record(request: HttpRequest, record: str, accepts: tuple[str, ...], common: dict[str, Any]) -> Evidence:
    if f"record:{record}" not in accepts:
        raise InvalidInput("This item does not take that kind of record.")
    form = RecordForm(request.POST, kind=kind_of(record))
    if not form.is_valid():
        wrong = [f"{form[name].label}: {errors[0]}" for name, errors in form.errors.items()]
        raise InvalidInput(wrong[0], reasons=wrong)
    replace = form.cleaned_data["replace"]
    return attach_record(record=record, values=form.values(), replace=replace, **common)


def _probe(request: HttpRequest, common: dict[str, Any]) -> None:
    form = ProbeForm(request.POST)
    if not form.is_valid():
        raise InvalidInput(*(f"{form[name].label}: {errors[0]}" for name, errors in [*form.errors.items()][:1]))
    order_probe(**form.cleaned_data, **common)


@require_GET
def probe(request: HttpRequest, slug: str, label: str, key: str, probe: UUID) -> HttpResponse:
    """One contract probe as a fragment that asks for itself again while it runs, and says when it has ended."""
    release = find(request, slug, label)
    one = shown(release, find_probe(release, key, probe))
    response = render(request, "releases/parts/probe.html", {"one": one})
    if not one["running"]:
        response["HX-Trigger"] = "probe-ended"  # the evidence above it is fetched again
    return response


@require_GET
def evidence_page(request: HttpRequest, slug: str, label: str, key: str, evidence: UUID) -> HttpResponse:
    """The evidence as text, table or image, with what it is and who attached it."""
    release = find(request, slug, label)
    found = _evidence(release, key, evidence)
    now = timezone.now()
    context = {
        **page.head(release, standing(release, page.question_now(release), now=now), now=now),
        "evidence": found,
        "shown": viewer.readable(found.media_type, found.title, vault.get(found.digest)),
        "bytes_url": rows.release_url(release, "evidence", key=key, evidence=found.pk),
        "item_url": rows.release_url(release, "item", key=key),
    }
    return render(request, "releases/evidence.html", context)


def _evidence(release: Release, key: str, evidence: UUID) -> Evidence:
    living = Evidence.objects.select_related("attached_by", "carried_from__item__release")
    found = living.filter(pk=evidence, item__release=release, item__key=key).first()
    if found is None:
        raise NotFound("There is no such evidence on this item.")
    return found


@require_GET
def evidence(request: HttpRequest, slug: str, label: str, key: str, evidence: UUID) -> HttpResponse:
    """The bytes, checked against their digest, and served so that they can never run as a page of ours."""
    release = find(request, slug, label)
    found = _evidence(release, key, evidence)
    content = vault.get(found.digest)
    inline = "view" in request.GET and found.media_type in (*SHOWN_AS_TEXT, *SHOWN_AS_IMAGE)
    media_type = found.media_type if found.media_type in SHOWN_AS_IMAGE else "text/plain; charset=utf-8"
    response = HttpResponse(content, content_type=media_type if inline else "application/octet-stream")
    response["Content-Disposition"] = content_disposition_header(not inline, found.title) or "attachment"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_GET
def evidence_drawn(request: HttpRequest, slug: str, label: str, key: str, evidence: UUID, number: int) -> HttpResponse:
    """One page of a PDF, as a picture."""
    found = _evidence(find(request, slug, label), key, evidence)
    if found.media_type != "application/pdf" or not 1 <= number <= pdf.MOST_PAGES:
        raise NotFound("There is no such page.")
    try:
        picture = pdf.draw(vault.get(found.digest), number)
    except pdf.UnreadablePdf:
        raise NotFound("This page cannot be drawn.") from None
    response = HttpResponse(picture, content_type="image/png")
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, max-age=86400, immutable"  # evidence never changes
    return response
