"""Inspect AI logs: `.eval` (a zip with Zstandard members) and `.json`, log version 2.

What bites: the status says "success" although samples ended in an error; NaN stands bare in the JSON; a sample that
ended in an error has no scores at all.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from metrics import exact
from metrics.answers import ERROR_KEPT, OUTPUT_KEPT, CaseAnswer, RunAnswer, averaged, claims, tags
from metrics.problems import Unreadable
from metrics.reading import Archive, member, optional, read_json, time

NAME = "inspect_ai"
SUFFIXES = (".eval", ".json")
LOG_VERSION = 2
WHAT = "The Inspect log"
# inspect_ai.scorer.value_to_float: correct, partial, incorrect, no answer.
_LETTERS = {"C": Fraction(1), "P": Fraction(1, 2), "I": Fraction(0), "N": Fraction(0)}


def describe() -> str:
    return "Logs of Inspect AI, .eval or .json, from a folder or an address."


def parse(raw: bytes) -> RunAnswer:
    header, samples = _open(raw)
    _check_header(header)
    evaluation = member(header, "eval", kind=dict, what=WHAT)
    names = _metric_names(header, samples)
    repeats: dict[str, dict[int, CaseAnswer]] = {}
    for sample in samples:
        case = _case(sample, names)
        epoch = sample.get("epoch")
        if not isinstance(epoch, int):
            raise Unreadable(f"{WHAT} has a sample without an epoch.")
        if epoch in repeats.setdefault(case.case_id, {}):
            raise Unreadable(f"{WHAT} has {case.case_id} twice in epoch {epoch}.")
        repeats[case.case_id][epoch] = case
    _reconcile(header, samples, repeats)
    return RunAnswer(
        tool=NAME,
        tool_version=str(optional(evaluation, "packages", "inspect_ai") or "unknown")[:60],
        tool_run_id=str(evaluation.get("eval_id") or evaluation.get("run_id") or "")[:120],
        task=str(evaluation.get("task") or "")[:200],
        metric=_headline(header, names),
        claims=claims(
            optional(evaluation, "metadata"), optional(header, "metadata"), model=str(evaluation.get("model") or "")
        ),
        finished_at=time(optional(header, "stats", "completed_at")),
        cases=tuple(averaged(name, list(epochs.values())) for name, epochs in repeats.items()),
    )


def _open(raw: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if not raw.startswith(b"PK"):
        log = read_json(raw, WHAT)
        if not isinstance(log, dict):
            raise Unreadable(f"{WHAT} is not a JSON object.")
        return log, _samples(log.get("samples") or [])
    archive = Archive(raw)
    if "header.json" not in archive:
        # Inspect writes it last: without it the run is not over, or its file is cut off.
        raise Unreadable(f"{WHAT} has no header: the run did not end, or this is no Inspect log.")
    header = read_json(archive.read("header.json"), WHAT)
    if not isinstance(header, dict):
        raise Unreadable(f"{WHAT} is not a JSON object.")
    return header, _samples([read_json(archive.read(name), name) for name in archive.names("samples/")])


def _samples(found: Any) -> list[dict[str, Any]]:
    if not isinstance(found, list) or not all(isinstance(sample, dict) for sample in found):
        raise Unreadable(f"{WHAT} has samples that are not objects.")
    return found


def _check_header(header: dict[str, Any]) -> None:
    version = header.get("version")
    if version != LOG_VERSION:
        raise Unreadable(f"{WHAT} has version {version}; known is version {LOG_VERSION}.")
    if header.get("status") != "success":
        raise Unreadable(f"{WHAT} has the status {header.get('status')!r}: only a run that ended counts.")
    if header.get("invalidated"):
        raise Unreadable(f"{WHAT} is marked as invalidated.")


def _metric_names(header: dict[str, Any], samples: list[dict[str, Any]]) -> list[str]:
    """Every score that any sample has. A sample that lacks one has no number there, and does not drop out."""
    names = dict.fromkeys(
        name for sample in samples for name, value in _named_scores(sample) if not isinstance(value, list)
    )
    if not names:
        raise Unreadable(f"{WHAT} has no scores.")
    return list(names)


def _named_scores(sample: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for scorer, score in (sample.get("scores") or {}).items():
        value = score.get("value") if isinstance(score, Mapping) else None
        if isinstance(value, Mapping):
            for key, part in value.items():
                yield f"{scorer}.{key}", part
        else:
            yield scorer, value


def _case(sample: dict[str, Any], names: list[str]) -> CaseAnswer:
    name = sample.get("id")
    if not isinstance(name, str | int) or isinstance(name, bool) or not str(name) or len(str(name)) > 200:
        raise Unreadable(f"{WHAT} has a sample without a usable id.")
    found = dict(_named_scores(sample))
    failed = optional(sample, "error", "message")
    error = str(failed or "an error without a message") if sample.get("error") else ""
    return CaseAnswer(
        case_id=str(name),
        scores={metric: None if error else _number(found.get(metric)) for metric in names},
        passed=None,
        error=error[:ERROR_KEPT],
        repeats=1,
        output=str(optional(sample, "output", "completion") or "")[:OUTPUT_KEPT],
        tags=tags(optional(sample, "metadata", "tags")),
    )


def _number(value: Any) -> Fraction | None:
    if isinstance(value, str):
        return _LETTERS.get(value)
    return exact.read(value)


def _headline(header: dict[str, Any], names: list[str]) -> str:
    headline = optional(header, "results", "headline", "score")
    return headline if headline in names else names[0]


def _reconcile(
    header: dict[str, Any], samples: list[dict[str, Any]], repeats: dict[str, dict[int, CaseAnswer]]
) -> None:
    """The file's own totals against what it holds: rows that were lost or left out do not go unnoticed."""
    counted = member(header, "results", "total_samples", kind=int, what=WHAT)
    if counted != len(samples):
        raise Unreadable(f"{WHAT} counts {counted} samples and holds {len(samples)}.")
    completed = member(header, "results", "completed_samples", kind=int, what=WHAT)
    without_error = sum(not sample.get("error") for sample in samples)
    if completed != without_error:
        raise Unreadable(f"{WHAT} counts {completed} completed samples and holds {without_error}.")
    sizes = Counter(len(epochs) for epochs in repeats.values())
    if len(sizes) > 1:
        short = sorted(name for name, epochs in repeats.items() if len(epochs) < max(sizes))
        raise Unreadable(f"{WHAT} has fewer repeats of some cases than of others: {', '.join(short[:5])}.")
    declared = optional(header, "eval", "dataset", "sample_ids")
    config = optional(header, "eval", "config") or {}
    if isinstance(declared, list) and not config.get("limit") and not config.get("sample_id"):
        missing = sorted({str(name) for name in declared} - set(repeats))
        if missing:
            raise Unreadable(f"{WHAT} lacks {len(missing)} cases of its dataset: {', '.join(missing[:5])}.")
