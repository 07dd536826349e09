"""The component page: every part of the interface, and the pages of a release in its states, from sample contexts.

Designers and developers look here; tests render it in both themes and let axe read it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from web.problems import Conflict
from web.samples import checklist, work
from web.samples import release as sample
from web.statuses import STATUSES


class SampleForm(forms.Form):
    label = forms.CharField(help_text="Unique in its system; it never changes.", initial="2026.11.4")
    system = forms.ChoiceField(
        choices=[("", "Choose a system"), ("support", "Support assistant"), ("search", "Search")]
    )
    link = forms.URLField(required=False, label="Ticket", assume_scheme="https")
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}))
    strategy = forms.ChoiceField(
        choices=[("canary", "Canary"), ("shadow", "Shadow")], widget=forms.RadioSelect, initial="canary"
    )
    file = forms.FileField(required=False, label="Evidence")
    notify = forms.BooleanField(required=False, label="Tell the owners", help_text="By the channels of the system.")


class NoteForm(forms.Form):
    note = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}), label="Note")


class AttachForm(forms.Form):
    file = forms.FileField(
        required=False, label="File", help_text="At most 50 MB. It is kept encrypted, by its digest."
    )
    link = forms.URLField(
        required=False, label="or a link", assume_scheme="https", help_text="A snapshot is stored with it."
    )
    note = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))


class CodeForm(forms.Form):
    password = forms.CharField(widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))
    code = forms.CharField(widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "one-time-code"}))


def _form_with_errors() -> SampleForm:
    form = SampleForm({"label": "", "system": "support", "link": "not a link", "reason": "", "strategy": "canary"})
    form.is_valid()
    form.add_error(None, "Nothing was saved: two values are not right.")
    return form


def index(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    context = {
        "now": now,
        "statuses": STATUSES.values(),
        "form": SampleForm(auto_id="plain_%s"),
        "wrong": _form_with_errors(),
        "no_go": sample.gate_no_go(now),
        "crumbs": [{"label": "Support assistant", "url": "#"}, {"label": "Releases", "url": "#"}],
        "tabs": [
            {"label": "Prompt", "url": "#", "here": True, "n": 14},
            {"label": "Schemas", "url": "#", "n": 8},
            {"label": "Model", "url": "#", "n": 2},
            {"label": "Datasets", "url": "#", "n": 9, "status": "in-review"},
        ],
        "facts": [
            {"name": "Requests", "value": "48,210"},
            {"name": "Errors", "value": "0.42 %"},
            {"name": "p95 latency", "value": "871 ms"},
            {"name": "Spent today", "value": "$21.40"},
        ],
        "checklist": checklist.checklist(),
        "filters": checklist.filters(),
        "history": work.history(now),
        "evidence": work.evidence(now),
        "rollout": work.rollout(now),
        "old": sample.PROMPT_OLD,
        "new": sample.PROMPT_NEW,
        "digest": sample.DIGEST,
        "unknown_keys": ["colour"],
        "command": 'curl -sf -H "Authorization: Bearer $READINESS_TOKEN" \\\n'
        "  https://readiness.example/api/releases/support-assistant:2026.11.4/gate?question=canary",
        "jobs": [
            {"state": "running", "progress": 62, "message": "187 of 300 cases"},
            {"state": "running", "progress": 0, "message": "waiting for Prometheus"},
            {"state": "failed", "error": "The file is no Inspect AI log: it has no `eval` section."},
        ],
        "page": {"previous_cursor": "a", "next_cursor": "b"},
        "long_ago": now - timedelta(days=40),
        "soon": now + timedelta(hours=3),
        "spark": [820, 840, 910, 870, None, 860, 905, 871],
    }
    return render(request, "web/components/index.html", context)


def page(request: HttpRequest, name: str) -> HttpResponse:
    """A whole page from sample contexts; its links lead nowhere."""
    found = PAGES.get(name)
    if found is None:
        raise Http404
    template, context = found
    return render(request, template, {**context(timezone.now()), "sample": name})


def problem(request: HttpRequest) -> HttpResponse:
    """A refusal, as any page tells it."""
    raise Conflict(
        "The release changed while you were reading it: sign what it is now.",
        reasons=["Prompt v14 replaced v13.", "Evidence of “Rollback drilled in staging” was superseded."],
    )


def toast(request: HttpRequest) -> HttpResponse:
    messages.success(request, "Evidence attached. Operations was told.")
    messages.error(request, "The webhook could not be delivered: the receiver answered 502.")
    return index(request)


def _release(
    now: datetime, *, gate: dict[str, Any], question: str, status: str, stage: str, signed: str
) -> dict[str, Any]:
    blocked = "" if gate["verdict"] == "go" else f"The verdict is no-go: {gate['headline']}."
    start = "Promote" if question == "release" else "Start the canary"
    unsigned = blocked or ("" if gate.get("cleared") else "Both sides have to sign first.")
    return {
        "release": sample.release(now, stage),
        "releases_url": "#",
        "questions": sample.questions(question, status),
        "gate": gate,
        "checklist": checklist.checklist(),
        "signoffs": work.signoffs(now, signed),
        "pins": work.pins(),
        "history": work.history(now),
        "history_url": "#",
        "actions": [
            {"label": "Bundle", "url": "#", "icon": "package"},
            {"label": start, "url": "#", "kind": "primary", "icon": "play", "reason": unsigned},
        ],
    }


def _blocked(now: datetime) -> dict[str, Any]:
    return _release(
        now, gate=sample.gate_no_go(now), question="canary", status="no-go", stage="pre-production", signed="void"
    )


def _canary(now: datetime) -> dict[str, Any]:
    gate = sample.gate_canary(now)
    context = _release(now, gate=gate, question="release", status="no-go", stage="canary", signed="half")
    return {
        **context,
        "rollout": work.rollout(now),
        "changes": [{"sentence": "2 items were verified since", "url": "#"}],
    }


def _cleared(now: datetime) -> dict[str, Any]:
    gate = sample.gate_go(now, cleared=True)
    return _release(now, gate=gate, question="release", status="clear", stage="canary", signed="cleared")


def _item(now: datetime) -> dict[str, Any]:
    return {
        "release": sample.release(now),
        "gate": sample.gate_no_go(now),
        "item": sample.item(now),
        "evidence": work.evidence(now),
        "older": work.evidence(now)[:1],
        "attach_form": AttachForm(),
        "attach_url": "#",
        "verify": {
            "url": "#",
            "send_back_url": "#",
            "form": NoteForm(auto_id="verify_%s"),
            "asks": "Tomas Okafor attached this. Verify it only if it shows what the item asks.",
        },
        "not_applicable": {"reason": "The standard does not allow it for this item."},
        "assign": {"url": "#", "form": NoteForm(auto_id="assign_%s")},
        "history": work.history(now)[:3],
    }


def _sign(now: datetime) -> dict[str, Any]:
    return {
        "release": sample.release(now, "canary"),
        "gate": sample.gate_go(now),
        "statement": work.statement(),
        "changes": [{"sentence": "2 items were verified since: PII sample, source ids", "url": "#"}],
        "form": NoteForm(auto_id="sign_%s"),
        "two_factor_form": CodeForm(),
        "reject_form": NoteForm(auto_id="reject_%s"),
        "passkey_options": {"publicKey": {"challenge": "AAAA"}},
    }


def _list(now: datetime) -> dict[str, Any]:
    counts = sample.gate_no_go(now)["counts"]
    done = {"verified": 41, "not-applicable": 3}
    rows = (
        ("2026.11.4", "Support assistant", "pre-production", "no-go", "canary", "7 things remain", counts, 27, 34, 3),
        (
            "2026.11.2",
            "Search answers",
            "canary",
            "no-go",
            "release",
            "Canary: 21 of 24 hours",
            {"verified": 38, "running": 3},
            38,
            41,
            5,
        ),
        ("2026.11.1", "Support assistant", "live", "", "", "Review due in 2 days", done, 44, 44, 12),
        ("2026.10.7", "Claims triage", "rolled-back", "", "", "p95 above 2,000 ms for 5 minutes", done, 44, 44, 31),
    )
    keys = ("label", "system", "stage", "verdict", "question", "remaining", "counts", "done", "total")
    releases = [
        {
            **dict(zip(keys, row[:-1], strict=True)),
            "url": "#",
            "who": "Mara Lindqvist",
            "opened_at": now - timedelta(days=row[-1]),
        }
        for row in rows
    ]
    return {"releases": releases, "filters": checklist.filters(), "open_url": "#", "page": {"next_cursor": "b"}}


def _empty_list(now: datetime) -> dict[str, Any]:
    return {
        "releases": [],
        "open_url": "",
        "open_reason": "Opening a release takes the role product, engineering or operations.",
    }


PAGES: dict[str, tuple[str, Callable[[datetime], dict[str, Any]]]] = {
    "release-blocked": ("releases/release.html", _blocked),
    "release-canary": ("releases/release.html", _canary),
    "release-cleared": ("releases/release.html", _cleared),
    "item": ("releases/item.html", _item),
    "sign": ("releases/sign.html", _sign),
    "list": ("releases/list.html", _list),
    "list-empty": ("releases/list.html", _empty_list),
}
