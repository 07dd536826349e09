"""Evaluation runs: recorded once, with their cases and the file they came from, and read again for the judge."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from django.db import transaction

from accounts.access import require_role
from accounts.models import User
from accounts.roles import Role
from audit import ledger, vault
from audit.actors import Actor
from audit.canonical import digest_bytes
from jobs.outbox import emit
from metrics import exact
from metrics.answers import CaseAnswer, RunAnswer
from metrics.connectors import inspect_ai, json_http, junit, mlflow, promptfoo, table
from metrics.judges import evaluation as judge
from metrics.models import CaseResult, EvaluationRun, Source
from metrics.problems import Forbidden, Invalid, MetricsError, Unreadable
from systems.models import System

PARSERS: dict[str, Callable[[bytes], RunAnswer]] = {
    inspect_ai.NAME: inspect_ai.parse,
    promptfoo.NAME: promptfoo.parse,
    junit.NAME: junit.parse,
    mlflow.NAME: mlflow.parse,
}
MAPPED: dict[str, Callable[[bytes, Mapping[str, Any]], RunAnswer]] = {
    table.NAME: table.parse,
    json_http.NAME: json_http.parse,
}
# What a pipeline may push: a file as its tool wrote it. JSON of any tool comes with a source, which has the mapping.
PUSHED = (inspect_ai.NAME, promptfoo.NAME, junit.NAME, table.NAME, json_http.NAME)
MEDIA_TYPES = {b"PK": "application/zip", b"<?": "application/xml"}
_CASES_PER_INSERT = 2000
# Who works on releases: they attach evidence, so they may say where a pushed file came from.
CONFIRMING = (Role.PRODUCT, Role.ENGINEERING, Role.OPERATIONS)


def parse(tool: str, raw: bytes, config: Mapping[str, Any] | None = None) -> RunAnswer:
    """What a file says. `config`: the settings of its source, for tools that need a mapping.

    A file that puts a text where its tool writes a list makes a connector stumble: that is the file's fault, and it is
    refused like any other, so that its pull ends.
    """
    if tool not in PARSERS and tool not in MAPPED:
        raise Invalid(f"The tool {tool!r} is not known. Known are {', '.join(sorted([*PARSERS, *MAPPED]))}.")
    try:
        answer = MAPPED[tool](raw, config or {}) if tool in MAPPED else PARSERS[tool](raw)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise Unreadable(f"The file has a part of another kind than {tool} writes: {error}.") from error
    _check_names(answer)
    return answer


def _check_names(answer: RunAnswer) -> None:
    """Names must be stored as they are: cut short or with a sign replaced, they would be other names."""
    about = answer.claims
    pins = [*about.pins, *about.pins.values()]
    cases = [case.case_id for case in answer.cases]
    for longest, names in (
        (100, [about.release, *_metric_names(answer)]),
        (200, [about.dataset_hash, answer.tool_version, answer.tool_run_id, answer.task, *pins, *cases]),
    ):
        for name in names:
            if len(name) > longest or _storable(name) != name:
                raise Unreadable(f"The file has a name that cannot be kept: {_storable(name)[:60]!r}.")


def record_run(
    *,
    system: System,
    answer: RunAnswer,
    raw: bytes,
    origin: EvaluationRun.Origin,
    by: Actor,
    now: datetime,
    source: Source | None = None,
    pushed_by: User | None = None,
) -> tuple[EvaluationRun, bool]:
    """Stores a run with its cases. The same file is one run, whoever brings it and however often: (run, is it new)."""
    if not answer.claims.release:
        raise Invalid("The file does not say which release it is about: its metadata lacks readiness.release.")
    with transaction.atomic():
        digest = vault.put(raw, kind="evaluation-file", media_type=_media_type(raw), now=now, system=system.slug)
        run, created = EvaluationRun.objects.get_or_create(
            system=system,
            raw_digest=digest,
            defaults={
                **_columns(answer),
                "source": source,
                "origin": origin,
                "pushed_by": pushed_by,
                "raw_size": len(raw),
                "created_at": now,
            },
        )
        if not created:
            return run, False
        CaseResult.objects.bulk_create((_case(run, case) for case in answer.cases), batch_size=_CASES_PER_INSERT)
        ledger.append(
            kind="evaluation.recorded",
            by=by,
            subject=f"evaluation:{run.pk}",
            system=system.slug,
            now=now,
            payload={
                "release": run.release_label,
                "tool": run.tool,
                "tool_version": run.tool_version,
                "dataset_hash": run.dataset_hash,
                "pins": run.pins,
                "cases": run.cases,
                "errored": run.errored,
                "origin": run.origin,
                "raw_digest": run.raw_digest,
            },
        )
        emit(
            "metrics.run-recorded",
            subject=f"evaluation:{run.pk}",
            payload={"run_id": str(run.pk), "system": system.slug, "release_label": run.release_label},
            now=now,
        )
    return run, True


def push_run(
    *, system: System, tool: str, raw: bytes, by: User, now: datetime, via: Actor, source: Source | None = None
) -> tuple[EvaluationRun, bool]:
    """A file that a pipeline or a person sends. Its origin is unproven until a second person confirms it.

    `source`: whose mapping reads it, and what its tool is then.
    """
    tool = source.kind if source else tool
    if tool not in PUSHED:
        raise Invalid(f"The tool {tool!r} cannot be pushed. These can: {', '.join(PUSHED)}.")
    require_role(by, *CONFIRMING, system=system.slug, now=now)
    known = EvaluationRun.objects.filter(system=system, raw_digest=digest_bytes(raw)).first()
    if known is not None:
        return known, False
    return record_run(
        system=system,
        answer=parse(tool, raw, source.config if source else None),
        raw=raw,
        origin=EvaluationRun.Origin.PUSHED_UNPROVEN,
        by=via,
        pushed_by=by,
        now=now,
    )


def confirm_origin_refusals(run: EvaluationRun, person: User) -> list[str]:
    if run.origin_proven:
        return ["Its origin is proven already."]
    if run.pushed_by_id == person.pk:
        return ["You pushed this file: somebody else confirms where it came from."]
    return []


def confirm_origin(*, run: EvaluationRun, by: User, now: datetime) -> EvaluationRun:
    """A second person says that the file is what the pipeline made. The outcome stays the judge's alone."""
    require_role(by, *CONFIRMING, system=run.system.slug, now=now)
    with transaction.atomic():
        run = EvaluationRun.objects.select_for_update().select_related("system").get(pk=run.pk)
        if reasons := confirm_origin_refusals(run, by):
            raise (Forbidden if run.pushed_by_id == by.pk else MetricsError)(reasons[0])
        run.origin_confirmed_by, run.origin_confirmed_at = by, now
        run.save(update_fields=["origin_confirmed_by", "origin_confirmed_at"])
        ledger.append(
            kind="evaluation.origin-confirmed",
            by=by,
            subject=f"evaluation:{run.pk}",
            system=run.system.slug,
            now=now,
            payload={"raw_digest": run.raw_digest, "pushed_by": f"user:{run.pushed_by_id}"},
        )
        emit(
            "metrics.origin-confirmed",
            subject=f"evaluation:{run.pk}",
            payload={"run_id": str(run.pk), "system": run.system.slug, "release_label": run.release_label},
            now=now,
        )
    return run


def paired_cases(run: EvaluationRun, metric: str | None = None) -> judge.Run:
    """The run as the judge sees it: the scores of one metric, and beside it those of the others."""
    rows = list(run.results.values_list("case_id", "scores", "passed", "tags"))
    wanted = metric or run.metric
    others = tuple(_judged(run, name, rows) for name in run.metrics if name != wanted)
    return replace(_judged(run, wanted, rows), others=others)


def _judged(run: EvaluationRun, metric: str, rows: list[Any]) -> judge.Run:
    cases = (
        judge.Case(case_id, None if (score := scores[metric]) is None else exact.parse(score), passed, tuple(tags))
        for case_id, scores, passed, tags in rows
        if metric in scores
    )
    return judge.Run(run.release_label, run.dataset_hash, metric, tuple(cases))


def _columns(answer: RunAnswer) -> dict[str, Any]:
    if not answer.cases:
        raise Invalid("The file has no cases.")
    return {
        "release_label": answer.claims.release[:100],
        "dataset_hash": answer.claims.dataset_hash[:71],
        "pins": answer.claims.pins,
        "tool": answer.tool,
        "tool_version": answer.tool_version,
        "tool_run_id": answer.tool_run_id,
        "task": answer.task,
        "metric": answer.metric,
        "metrics": {name: _summary(answer, name) for name in _metric_names(answer)},
        "cases": len(answer.cases),
        "errored": sum(case.errored for case in answer.cases),
        "finished_at": answer.finished_at,
    }


def _metric_names(answer: RunAnswer) -> list[str]:
    return list(dict.fromkeys(name for case in answer.cases for name in case.scores))


def _summary(answer: RunAnswer, metric: str) -> dict[str, Any]:
    """The mean with cases without a number at zero, as the judge has it where scores are not negative."""
    scores = [case.scores[metric] for case in answer.cases if metric in case.scores]
    known = [score for score in scores if score is not None]
    mean = sum(known, Fraction(0)) / len(scores)
    return {"mean": exact.text(mean), "cases": len(scores), "errored": len(scores) - len(known)}


def _case(run: EvaluationRun, case: CaseAnswer) -> CaseResult:
    return CaseResult(
        run=run,
        case_id=case.case_id,
        scores={name: None if score is None else exact.text(score) for name, score in case.scores.items()},
        passed=case.passed,
        errored=case.errored,
        error=_storable(case.error),
        repeats=case.repeats,
        output=_storable(case.output),
        output_digest=digest_bytes(case.output.encode("utf-8", "surrogatepass")) if case.output else "",
        tags=[_storable(tag) for tag in case.tags],
    )


def _storable(text: str) -> str:
    """PostgreSQL takes neither NUL nor half a surrogate pair; tools write both."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _media_type(raw: bytes) -> str:
    return MEDIA_TYPES.get(raw[:2], "application/json")
