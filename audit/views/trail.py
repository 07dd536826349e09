"""The trail in the browser: the list of requests, one request, and the prompt and answer of a span."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from audit import explorer, reading, saved, timeline, trail
from audit.explorer import ORDER
from audit.facets import toggled
from audit.models import Request, Span
from web.paging import keyset_page
from web.problems import Forbidden, NotFound

TIMES = (("1 hour", "1h"), ("24 hours", "24h"), ("7 days", "7d"), ("30 days", "30d"))


@require_GET
def requests(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "").strip()
    user: Any = request.user
    systems = explorer.readable_systems(user)
    found = explorer.search(query, systems=systems, now=timezone.now())
    page = keyset_page(found.rows, order=ORDER, cursor=request.GET.get("cursor"), within=found.within)
    if found.filter.text and not found.filter.tokens and len(page.items) == 1:
        return redirect("audit:request", system=page.items[0].system, trace_id=page.items[0].trace_id)
    if found.filter.text and not page.items and (fresh := _fresh(found.filter.text, user)):
        return redirect("audit:request", system=fresh.system, trace_id=UUID(fresh.trace_id))
    quick = [
        {
            "label": label,
            "url": f"?{urlencode({'q': toggled(found.filter, 'since', since)})}",
            "here": found.filter.first("since") == since,
            "n": None,
        }
        for label, since in TIMES
    ]
    context = {
        "page": page,
        "rows": [(row, outcome_of(row)) for row in page.items],
        "base": f"{urlencode({'q': query})}&" if query else "",
        "filters": {
            "q": query,
            "placeholder": "request id, or system:support-bot outcome:error since:24h",
            "quick": quick,
            "unknown": found.filter.unknown,
        },
        "assumed": found.assumed,
        "views": saved.views_of(user),
        "me": user.actor_id,
        "formats": FORMATS,
        "facets_url": f"{reverse('audit:facets')}?{urlencode({'q': query})}",
        "snippet": SNIPPET.format(url=settings.BASE_URL),
        "has_traffic": bool(systems),
    }
    return render(request, "audit/requests.html", context)


FORMATS = (
    ("csv", "CSV, for a spreadsheet"),
    ("jsonl", "JSON lines, for programs"),
    ("inspect", "Dataset of Inspect AI, with prompts, redacted"),
    ("promptfoo", "Tests of promptfoo, with prompts, redacted"),
)

SNIPPET = """\
export OTEL_EXPORTER_OTLP_TRACES_ENDPOINT={url}/v1/traces
export OTEL_EXPORTER_OTLP_TRACES_HEADERS="Authorization=Bearer%20$READINESS_TOKEN"
opentelemetry-instrument python app.py"""


CURL = """curl -H "Authorization: Bearer $READINESS_TOKEN" {url}/api/audit/requests/{trace}"""


def _fresh(text: str, user: Any) -> trail.RequestView | None:
    """A trace that came seconds ago is not in the list yet, but it is there."""
    return next((view for view in trail.find(text) if user.has_perm("audit.browse", view.system)), None)


# Two cards of the page look alike for most requests of a release, so they are drawn once for all that do.
_MADE_OF = (
    *("system", "release", "approval", "approved_release_id", "model", "tenant"),
    *("prompt_name", "prompt_version", "prompt_hash", "prompt_hash_source"),
)
_WENT = (
    *("contract", "contract_source", "failed", "error_type", "retries", "timeouts"),
    *("fallback", "handoff", "complete", "flags"),
)


@require_GET
def request_page(request: HttpRequest, system: str, trace_id: UUID) -> HttpResponse:
    user: Any = request.user
    view, views = _seen(request, system, trace_id)
    recorded = reading.record_view(view, by=user, now=timezone.now())
    sealed, sentence = trail.check(view)
    context = {
        "request_view": view,
        "others": [item for item in views if item is not view],
        "pills": outcome_of(view),
        "lines": timeline.lines(view),
        "made_of": {name: getattr(view, name) for name in _MADE_OF},
        "went": {name: getattr(view, name) for name in _WENT},
        "sealed": {True: "verified", False: "failed", None: "waiting"}[sealed],
        "sentence": sentence,
        "curl": CURL.format(url=settings.BASE_URL, trace=trace_id.hex),
        "may_read_payload": user.has_perm("audit.payload", system),
    }
    if recorded:
        context["read_only"] = ""  # the ledger takes entries: the page need not ask
    return render(request, "audit/request.html", context)


def _seen(request: HttpRequest, system: str, trace_id: UUID) -> tuple[trail.RequestView, list[trail.RequestView]]:
    """The request of the environment that is asked for, and all of that trace, as far as they may be seen."""
    user: Any = request.user
    views = trail.of_trace(trace_id, system) if user.has_perm("audit.browse", system) else []
    if not views:
        raise NotFound("There is no such request, or you may not see its system.")
    wanted = request.GET.get("environment")
    return next((item for item in views if item.environment == wanted), views[0]), views


@require_GET
def request_proof(request: HttpRequest, system: str, trace_id: UUID) -> HttpResponse:
    """The spans with the proof that they are in the signed log, as a file that verifies without us."""
    user: Any = request.user
    view, _ = _seen(request, system, trace_id)
    reading.record_view(view, by=user, now=timezone.now())
    headers = {"Content-Disposition": f'attachment; filename="request-{view.trace_id}.proof.json"'}
    return HttpResponse(trail.proof_of(view), content_type="application/json", headers=headers)


@require_POST
def payload(request: HttpRequest, system: str, trace_id: UUID, span_id: str) -> HttpResponse:
    """Prompt and answer, once asked for. A POST, because it leaves an entry."""
    user: Any = request.user
    if not user.has_perm("audit.browse", system):
        raise NotFound("There is no such request, or you may not see its system.")
    if not user.has_perm("audit.payload", system):
        raise Forbidden("Prompts and answers are for auditors, or the role that the system's data policy names.")
    span = Span.objects.filter(trace_id=trace_id, span_id=span_id, system=system).first()
    if span is None:
        raise NotFound("There is no such span.")
    document = reading.reveal_payload(span, by=user, now=timezone.now())
    template = "audit/payload.html" if request.headers.get("HX-Request") else "audit/payload_page.html"
    return render(request, template, {"span": span, "document": document})


def outcome_of(row: Request | trail.RequestView) -> list[tuple[str, str]]:
    """Pills of a request, worst first: (status, word)."""
    found = []
    if row.failed:
        found.append(("failed", row.error_type or "Error"))
    invalid = row.output_ok is False if isinstance(row, Request) else row.contract == "invalid"
    if invalid:
        found.append(("failed", "Schema"))
    if row.approval == Request.Approval.UNAPPROVED:
        found.append(("alert", "Unapproved"))
    if row.fallback:
        found.append(("fallback", ""))
    return found or [("ok", "")]
