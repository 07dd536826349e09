"""Evaluation runs: list, upload, one run beside its baseline."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_POST

from audit import vault
from metrics import comparing, evaluation, exact, figures
from metrics.actions.sources import managing_refusal
from metrics.forms import BaselineForm, UploadForm
from metrics.models import EvaluationRun, Source
from systems.views.shared import Visit, blame, visit
from web.paging import keyset_page
from web.problems import Problem


@require_GET
def runs(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    return _list(request, there, UploadForm())


@require_POST
def upload(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    form = UploadForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            run, created = evaluation.push_run(
                system=there.system,
                tool=form.cleaned_data["tool"],
                raw=form.cleaned_data["file"].read(),
                by=there.user,
                via=there.user,
                now=there.now,
            )
        except Problem as problem:
            blame(form, problem)
        else:
            messages.success(request, "Recorded." if created else "This file was here already.")
            return redirect("metrics:run", slug, run.pk)
    return _list(request, there, form)


@require_GET
def run(request: HttpRequest, slug: str, run_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found = _run(there, run_id)
    baseline = _baseline(request, found)
    bars = comparing.bars_in_force(there.system)
    main = comparing.main_metric(found, bars)
    metric = request.GET.get("metric", main)
    metric = metric if metric in found.metrics else main
    verdict = comparing.compare(found, baseline, bars, metric)
    judged = verdict if metric == main else comparing.compare(found, baseline, bars, main)
    show = request.GET.get("show", comparing.REGRESSED if verdict.regressed else comparing.ALL)
    show = show if show in comparing.SHOWN else comparing.ALL
    page = keyset_page(
        comparing.chosen_cases(found, verdict, show), order=("case_id", "pk"), cursor=request.GET.get("cursor"), size=50
    )
    kept = f"metric={metric}&baseline={baseline.pk if baseline else 'none'}&"
    return render(
        request,
        "metrics/run.html",
        {
            "system": there.system,
            "crumbs": there.crumbs(("Evaluations", reverse("metrics:system", args=[there.system.slug]))),
            "run": found,
            "baseline": baseline,
            "baseline_form": _baseline_form(found, baseline),
            "metric": metric,
            "bars": bars,
            "verdict": verdict,
            "judged": judged,
            "metrics": comparing.metric_rows(found, baseline, judged),
            "figure": figures.interval_figure(verdict, bars),
            "summary": figures.interval_sentence(verdict, bars),
            "moves": figures.moves_figure(verdict, comparing.changes(found, baseline, metric)),
            "moves_summary": figures.moves_sentence(verdict),
            "page": page,
            "cases": comparing.case_rows(page.items, baseline, metric),
            "show": show,
            "kept": kept,
            "chips": _chips(verdict, show, kept),
            "origin_reason": _origin_reason(there, found),
        },
    )


@require_POST
def confirm_origin(request: HttpRequest, slug: str, run_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found = evaluation.confirm_origin(run=_run(there, run_id), by=there.user, now=there.now)
    messages.success(request, "The origin is confirmed: the run counts.")
    return redirect("metrics:run", slug, found.pk)


@require_GET
def raw(request: HttpRequest, slug: str, run_id: UUID) -> HttpResponse:
    """The file as it came, never shown in the browser: what is in it came from outside."""
    there = visit(request, slug)
    found = _run(there, run_id)
    content = vault.get(found.raw_digest)
    suffix = "eval" if content.startswith(b"PK") else "json"
    response = HttpResponse(content, content_type="application/octet-stream")
    name = f"{there.system.slug}-{found.release_label}-{found.tool}.{suffix}"
    response["Content-Disposition"] = content_disposition_header(True, name)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def _list(request: HttpRequest, there: Visit, form: UploadForm) -> HttpResponse:
    rows = EvaluationRun.objects.filter(system=there.system).select_related("source", "pushed_by")
    page = keyset_page(rows, order=("-created_at", "-pk"), cursor=request.GET.get("cursor"))
    for one in page.items:
        one.mean = comparing.shown(exact.parse(one.metrics[one.metric]["mean"]))  # type: ignore[attr-defined]
    return render(
        request,
        "metrics/runs.html",
        {
            "system": there.system,
            "tabs": there.tabs("metrics:system"),
            "crumbs": there.crumbs(),
            "page": page,
            "form": form,
            "reason": managing_refusal(there.person.roles),
            **_trend(there),
            "sources": Source.objects.filter(system=there.system, retired_at=None).count(),
        },
        status=422 if form.errors else 200,
    )


def _trend(there: Visit) -> dict[str, Any]:
    """The metric that must improve, over the newest releases."""
    newest = list(EvaluationRun.objects.filter(system=there.system).order_by("-created_at", "-pk")[: figures.LOOKED_AT])
    if not newest:
        return {}
    bars = comparing.bars_in_force(there.system)
    metric = comparing.main_metric(newest[0], bars)
    rows = figures.trend_rows(newest, metric)
    return {
        "figure": figures.trend_figure(rows, metric, bars.eval_min_score),
        "summary": f"The metric {metric} by release: "
        + ", ".join(f"{run.release_label} {score}" for run, score in rows[-5:])
        + ".",
        "rows": [["Release", metric], *([run.release_label, str(score)] for run, score in rows)],
    }


def _run(there: Visit, run_id: UUID) -> EvaluationRun:
    rows = EvaluationRun.objects.select_related("system", "source", "pushed_by", "origin_confirmed_by")
    return get_object_or_404(rows, pk=run_id, system=there.system)


def _baseline(request: HttpRequest, found: EvaluationRun) -> EvaluationRun | None:
    asked = request.GET.get("baseline")
    if asked is None:
        return comparing.usual_baseline(found)
    try:
        return comparing.others(found).filter(pk=UUID(asked)).first()
    except ValueError:
        return None


def _baseline_form(found: EvaluationRun, baseline: EvaluationRun | None) -> BaselineForm:
    form = BaselineForm(initial={"baseline": baseline})
    choice: Any = form.fields["baseline"]
    choice.queryset = comparing.others(found)
    choice.label_from_instance = lambda one: f"{one.release_label}, {one.created_at:%Y-%m-%d %H:%M} UTC"
    return form


def _chips(verdict: Any, show: str, kept: str) -> list[dict[str, Any]]:
    counts = {
        comparing.MUST_PASS: len(verdict.must_pass_failed),
        comparing.LOST: len(verdict.lost),
        comparing.REGRESSED: len(verdict.regressed),
        comparing.IMPROVED: len(verdict.improved),
        comparing.ERRORED: len(verdict.errored),
        comparing.ALL: verdict.cases,
    }
    return [
        {"label": label, "url": f"?{kept}show={name}#cases", "here": name == show, "n": counts[name]}
        for name, label in comparing.SHOWN.items()
        if counts[name] or name not in (comparing.MUST_PASS, comparing.LOST)
    ]


def _origin_reason(there: Visit, found: EvaluationRun) -> str:
    return managing_refusal(there.person.roles) or " ".join(evaluation.confirm_origin_refusals(found, there.user))
