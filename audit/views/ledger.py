"""The ledger in the browser: its entries, one entry with its proof, and the signed checkpoints."""

import base64
import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from audit import actors, browsing, completeness, proofs, reading
from audit.merkle import ProofError
from audit.models import Checkpoint, Entry, Head
from audit.sealing import LOG
from web.paging import keyset_page
from web.problems import NotFound, Problem

QUICK = (
    ("All", ""),
    ("Releases", "kind:release"),
    ("Items", "kind:item"),
    ("Policies", "kind:policy"),
    ("Roles", "kind:role"),
    ("Reads", "kind:payload kind:trail"),
    ("Last 24 hours", "since:24h"),
)
VERIFY = """\
manage.py export_ledger ledger.zip
python -m audit.verify ledger.zip --key PUBLIC_KEY --checkpoint MY_COPY
python -m audit.witness ADDRESS --key PUBLIC_KEY --folder MY_HEADS"""
# The clocks of application and database may differ by this much without a word.
SKEW = timedelta(seconds=5)


class DaysForm(forms.Form):
    since = forms.DateField(label="First day (UTC)", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label="Last day (UTC)", widget=forms.DateInput(attrs={"type": "date"}))


@require_safe
def ledger(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "").strip()
    rows = browsing.visible(request.user)
    if query.isascii() and query.isdecimal() and len(query) < 18 and rows.filter(pk=int(query)).exists():
        return redirect("audit:entry", index=int(query))
    found = browsing.search(query, rows, now=timezone.now())
    page = keyset_page(found.rows, order=("-index",), cursor=request.GET.get("cursor"))
    names = actors.names(row.actor_id for row in page.items)
    last = Checkpoint.objects.order_by("size").last()
    signed = last.size if last else 0
    context = {
        "page": page,
        "rows": [(row, names.get(row.actor_id, row.actor_id), row.index < signed) for row in page.items],
        "base": f"{urlencode({'q': query})}&" if query else "",
        "filters": {
            "q": query,
            "placeholder": "number, or kind:release actor:mara system:support-bot since:7d",
            "quick": [
                {"label": label, "url": f"?{urlencode({'q': words})}" if words else "?", "here": query == words}
                for label, words in QUICK
            ],
            "unknown": found.filter.unknown,
        },
        "head": Head.objects.get(log=LOG),
        "last": last,
    }
    return render(request, "audit/ledger.html", context)


@require_safe
def entry(request: HttpRequest, index: int) -> HttpResponse:
    rows = browsing.visible(request.user)
    row = _visible(rows, index)
    holds, sentence = proofs.check(row)
    checkpoint = proofs.covering(index)
    context = {
        "entry": row,
        "who": actors.names([row.actor_id]).get(row.actor_id, row.actor_id),
        "status": {True: "verified", False: "failed", None: "waiting"}[holds],
        "sentence": sentence,
        "leaf_hash": f"sha256:{bytes(row.leaf_hash).hex()}",
        "commitment": f"sha256:{bytes(row.commitment).hex()}",
        "skewed": abs(row.at - row.recorded_at) > SKEW,
        "erased_by": Entry.objects.filter(kind="ledger.payload-erased", subject=f"entry:{index}").first(),
        "checkpoint": checkpoint,
        "proof": proofs.inclusion(index, checkpoint) if checkpoint and holds else None,
        **browsing.neighbours(row, rows),
    }
    return render(request, "audit/entry.html", context)


@require_POST
def entry_payload(request: HttpRequest, index: int) -> HttpResponse:
    """What the entry says in detail, once asked for. A POST, because it leaves an entry."""
    user: Any = request.user
    row = _visible(browsing.visible(user), index)
    now, rows = timezone.now(), browsing.visible(user)
    document = reading.reveal_entry(row, by=user, now=now)
    before = browsing.same_act_before(row, rows)
    earlier = reading.reveal_entry(before, by=user, now=now) if before and document is not None else None
    template = "audit/entry_payload.html" if request.headers.get("HX-Request") else "audit/entry_payload_page.html"
    context = {
        "entry": row,
        "text": None if document is None else _pretty(document),
        "before": before,
        "before_text": None if earlier is None else _pretty(earlier),
    }
    return render(request, template, context)


def _pretty(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True)


@require_safe
def proof_file(request: HttpRequest, index: int) -> HttpResponse:
    """The proof as a file (C2SP tlog-proof): it verifies with the leaf and the public key, without us."""
    _visible(browsing.visible(request.user), index)
    checkpoint = proofs.covering(index)
    if checkpoint is None:
        raise Problem("This entry waits for the next signed checkpoint. Try again in some seconds.")
    try:
        text = proofs.inclusion(index, checkpoint).text()
    except ProofError as error:
        raise Problem(f"There is no proof: the stored entries do not lead to the signed root ({error}).") from error
    headers = {"Content-Disposition": f'attachment; filename="entry-{index}.tlog-proof"'}
    return HttpResponse(text, content_type="text/plain; charset=utf-8", headers=headers)


@require_safe
def checkpoints(request: HttpRequest) -> HttpResponse:
    """Any member may see the heads: they say how long the log is and what its root is, nothing of what it holds."""
    head = Head.objects.get(log=LOG)
    last = Checkpoint.objects.order_by("size").last()
    context = {
        "head": head,
        "last": last,
        "commands": VERIFY,
        "unsigned": head.size - (last.size if last else 0),
        "page": keyset_page(Checkpoint.objects.all(), order=("-size",), cursor=request.GET.get("cursor")),
    }
    return render(request, "audit/checkpoints.html", context)


@require_safe
def consistency(request: HttpRequest) -> HttpResponse:
    """Two days, and whether the log of the later one continues the earlier one's, with nothing missing. Printable."""
    user: Any = request.user
    today = timezone.now().date()
    form = DaysForm(request.GET or None, initial={"since": today - timedelta(days=30), "until": today})
    found = None
    if form.is_valid():
        found = completeness.of_days(form.cleaned_data["since"], form.cleaned_data["until"])
    context = {
        "form": form,
        "found": found,
        "asked": form.is_bound and form.is_valid(),
        "kinds": found.kinds if found and user.has_perm("audit.browse") else (),
        "hashes": "\n".join(base64.b64encode(item).decode() for item in found.proof) if found else "",
        "origin": Head.objects.get(log=LOG).origin,
    }
    return render(request, "audit/consistency.html", context)


def _visible(rows: Any, index: int) -> Entry:
    row: Entry | None = rows.filter(pk=index).first()
    if row is None:
        raise NotFound("There is no such entry, or you may not see its system.")
    return row
