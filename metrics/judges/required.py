"""Cases that decide alone, whatever the mean: those that must pass, and those that passed before. Pure."""

from fnmatch import fnmatchcase
from fractions import Fraction

from metrics.judges.scores import Case, Run, names

TAG = "tag:"


def missed(candidate: Run, must_pass: str, least: Fraction) -> tuple[list[str], list[str], tuple[str, ...]]:
    """(why it fails, what cannot be known, the failed cases). A pattern that no case matches proves nothing."""
    unknown, failed = [], []
    for pattern in (part.strip() for part in must_pass.split(",") if part.strip()):
        chosen = [case for case in candidate.cases if matches(case, pattern)]
        if not chosen:
            unknown.append(f"The policy requires {pattern} to pass, and the run has no such case.")
        failed += [case.case_id for case in chosen if not passes(case, least)]
    found = tuple(dict.fromkeys(sorted(failed)))
    reasons = [f"{len(found)} of the cases that must pass failed: {names(found)}."] if found else []
    return reasons, unknown, found


def lost(candidate: Run, baseline: Run, least: Fraction) -> tuple[str, ...]:
    """Cases that the live release passes and the candidate does not."""
    before = {case.case_id for case in baseline.cases if passes(case, least)}
    return tuple(sorted(case.case_id for case in candidate.cases if case.case_id in before and not passes(case, least)))


def matches(case: Case, pattern: str) -> bool:
    if pattern.startswith(TAG):
        return any(fnmatchcase(tag, pattern.removeprefix(TAG)) for tag in case.tags)
    return fnmatchcase(case.case_id, pattern)


def passes(case: Case, least: Fraction) -> bool:
    """The tool's own word where it has one, else a score of at least `least`. An errored case never passes."""
    if case.score is None:
        return False
    return case.passed if case.passed is not None else Fraction(case.score) >= least
