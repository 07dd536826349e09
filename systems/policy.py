"""Thresholds, in two parts: bars that a release must clear, and limits that bind a system while it runs.

Pure: no Django, no clock. Numbers are exact decimals, written as strings in JSON: in binary floats 0.10 + 0.02 is more
than 0.12, and a candidate that meets its bar exactly would be refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Annotated, Any, Literal, Self, get_type_hints

from systems.metric_bars import canonical_cases, canonical_metrics


class PolicyError(ValueError):
    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = tuple(reasons)


@dataclass(frozen=True)
class Bar:
    """How one threshold is shown and checked. `strict` says which direction asks for more; empty: neither does."""

    label: str
    unit: str = ""
    lowest: Decimal | int | None = None
    highest: Decimal | int | None = None
    strict: Literal["", "higher", "lower"] = ""
    choices: tuple[str, ...] = ()  # from lenient to strict
    text: Callable[[str], str] | None = None  # of a written bar: to its canonical form, or ValueError with a sentence
    why: str = ""


class Thresholds:
    """What both parts share: reading from JSON, writing to JSON, and comparing with another set."""

    @classmethod
    @cache
    def bars(cls) -> dict[str, Bar]:
        hints = get_type_hints(cls, include_extras=True)
        return {name: hint.__metadata__[0] for name, hint in hints.items()}

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Self:
        """Reads a stored or proposed body. What it leaves out takes the shipped value; what it misspells is refused."""
        bars = cls.bars()
        reasons = [f"{name} is not a threshold of this policy." for name in sorted(set(body) - set(bars))]
        values = {}
        for name in bars.keys() & body.keys():
            try:
                values[name] = _read(body[name], bars[name], default=getattr(cls, name))
            except ValueError as error:
                reasons.append(f"{bars[name].label}: {error}")
        if not reasons:
            policy = cls(**values)
            reasons = policy.contradictions()
        if reasons:
            raise PolicyError(sorted(reasons))
        return policy

    def contradictions(self) -> list[str]:
        return []

    def body(self) -> dict[str, Any]:
        """The canonical body: every threshold, decimals as plain strings."""
        return {name: _write(getattr(self, name)) for name in self.bars()}

    def weaker_than(self, other: Self) -> tuple[str, ...]:
        """Names of the thresholds that ask for less here than in `other`."""
        return tuple(
            name for name, spec in self.bars().items() if _weaker(getattr(self, name), getattr(other, name), spec)
        )


@dataclass(frozen=True)
class ReleaseBars(Thresholds):
    """What one release is judged against; a release pins one version of it.

    The first release of a system has no baseline to beat. It is held to `eval_min_score` instead: a system that is
    wrong more often than three times in ten on its own golden set is not excused by having no predecessor. The number
    is ours (the checklist behind the standard names none), every metric must reach it, and product is expected to set
    its own. `first_release_cost_cap_usd` plays the same part for cost per request.
    """

    eval_min_delta: Annotated[
        Decimal,
        Bar(
            "Evaluation: least improvement over the baseline",
            "score",
            -1,
            1,
            strict="higher",
            why="Below zero it becomes a non-inferiority bar: a change may lose this much and no more.",
        ),
    ] = Decimal("0.02")
    eval_min_score: Annotated[
        Decimal,
        Bar(
            "Evaluation: least score of a first release",
            "score",
            0,
            1,
            strict="higher",
            why="Where no baseline exists an absolute bar decides; never a pass for want of one.",
        ),
    ] = Decimal("0.7")
    eval_bar: Annotated[
        str,
        Bar(
            "Evaluation: what must clear the bar",
            choices=("point", "lower"),
            why="point: the measured difference. lower: the lower end of its 95 % interval, which takes many cases.",
        ),
    ] = "point"
    eval_min_cases: Annotated[
        int,
        Bar(
            "Evaluation: fewest cases",
            "cases",
            1,
            1_000_000,
            strict="higher",
            why="With fewer the difference is noise, whatever it says.",
        ),
    ] = 30
    eval_metrics: Annotated[
        str,
        Bar(
            "Evaluation: bars of single metrics",
            "metrics",
            text=canonical_metrics,
            why="One a line, the one that must improve first: groundedness delta=-0.01 least=0.8 weight=2, "
            "or toxicity down delta=0 most=0.05. Empty: the tool's own headline metric alone.",
        ),
    ] = ""
    eval_must_pass: Annotated[
        str,
        Bar(
            "Evaluation: cases that must pass",
            "cases",
            text=canonical_cases,
            why="Patterns of case ids, or tags: harm-*, tag:harmful. One failure refuses it, whatever the mean.",
        ),
    ] = ""
    eval_case_regressions: Annotated[
        str,
        Bar(
            "Evaluation: cases that passed before and fail now",
            choices=("allowed", "none"),
            why="none: a case that the live release passes must not be lost.",
        ),
    ] = "allowed"
    eval_correction: Annotated[
        str,
        Bar(
            "Evaluation: correction for several metrics",
            choices=("none", "holm", "bonferroni"),
            why="With twenty metrics one moves by chance. Intervals widen, so that all of them hold together.",
        ),
    ] = "holm"
    schema_valid_min: Annotated[Decimal, Bar("Schema validation rate, at least", "share", 0, 1, strict="higher")] = (
        Decimal("0.99")
    )
    cost_increase_max: Annotated[
        Decimal, Bar("Cost per request: largest increase over the baseline", "share", 0, 10, strict="lower")
    ] = Decimal("0.10")
    first_release_cost_cap_usd: Annotated[
        Decimal,
        Bar(
            "Cost per request of a first release, at most",
            "USD",
            0,
            1000,
            why="An amount, not a bar: what a request may cost depends on what it is worth.",
        ),
    ] = Decimal("0.05")
    error_rate_max: Annotated[Decimal, Bar("Rollback: error rate above", "share", 0, 1, strict="lower")] = Decimal(
        "0.015"
    )
    p95_ms_max: Annotated[int, Bar("Rollback: p95 latency above", "ms", 1, 3_600_000, strict="lower")] = 2000
    canary_share: Annotated[Decimal, Bar("Canary: share of traffic", "share", Decimal("0.0001"), 1, strict="lower")] = (
        Decimal("0.10")
    )
    canary_hours: Annotated[int, Bar("Canary: hours without a breach", "hours", 1, 720, strict="higher")] = 24
    coverage: Annotated[
        Decimal,
        Bar(
            "Canary: share of pulls answered for an hour to count",
            "share",
            Decimal("0.5"),
            1,
            strict="higher",
            why="Gaps in the data count against a canary, never for it.",
        ),
    ] = Decimal("0.95")
    failure_limit: Annotated[
        int,
        Bar(
            "Canary: breached windows tolerated",
            "windows",
            0,
            24,
            strict="lower",
            why="One window above a threshold ends the canary, unless this says otherwise.",
        ),
    ] = 0
    inconclusive_limit: Annotated[
        int,
        Bar(
            "Canary: hours that did not count, tolerated",
            "hours",
            0,
            720,
            strict="lower",
            why="An hour with gaps, or that served nobody, says nothing. More of them leave it inconclusive.",
        ),
    ] = 24
    consecutive_error_limit: Annotated[
        int,
        Bar(
            "Canary: unanswered pulls in a row, tolerated",
            "windows",
            0,
            1440,
            strict="lower",
            why="A canary that nobody can see is taken back, not left to run.",
        ),
    ] = 30
    canary_least_effect: Annotated[
        Decimal,
        Bar(
            "Canary: worse than the live release by",
            "share",
            0,
            1,
            strict="lower",
            why="How much more of its requests must fail, or be slow, to be stopped. Significance is not enough.",
        ),
    ] = Decimal("0.002")
    min_requests: Annotated[
        int,
        Bar(
            "Requests before a rate may decide",
            "requests",
            1,
            100_000_000,
            strict="higher",
            why="It takes 299 clean requests to show a rate above 99 % with 95 % confidence.",
        ),
    ] = 300
    rollback_minutes: Annotated[int, Bar("Rollback: done within", "minutes", 1, 1440, strict="lower")] = 30
    drill_validity_days: Annotated[int, Bar("A drill counts for", "days", 1, 366, strict="lower")] = 90
    author_may_sign_own_side: Annotated[
        bool,
        Bar(
            "An author of the release may sign the side whose role they hold",
            why="Never both sides: that is refused whatever the policy says.",
        ),
    ] = False


@dataclass(frozen=True)
class RunningLimits(Thresholds):
    """What binds a system all the time; the version in force now always applies, whatever a release pinned.

    Budgets are amounts and differ by system: raising one takes the second person that every policy takes, no more.
    """

    budget_daily_usd: Annotated[Decimal, Bar("Budget: daily cap", "USD", Decimal("0.01"), 100_000_000)] = Decimal(50)
    budget_alert_usd: Annotated[Decimal, Bar("Budget: alert at", "USD", Decimal("0.01"), 100_000_000)] = Decimal(45)
    alarm_delay_max_s: Annotated[int, Bar("Budget alarm: sent within", "s", 1, 3600, strict="lower")] = 300
    slo_p95_ms: Annotated[int, Bar("SLO: p95 latency, at most", "ms", 1, 3_600_000, strict="lower")] = 1200
    slo_schema_failure: Annotated[Decimal, Bar("SLO: schema failure rate, at most", "share", 0, 1, strict="lower")] = (
        Decimal("0.01")
    )
    slo_retry: Annotated[Decimal, Bar("SLO: retry rate, at most", "share", 0, 1, strict="lower")] = Decimal("0.03")
    budget_variance: Annotated[Decimal, Bar("Spend: largest change week over week", "share", 0, 10, strict="lower")] = (
        Decimal("0.10")
    )
    cost_spike: Annotated[
        Decimal, Bar("Cost spike: times the median of seven days", "times", 1, 100, strict="lower")
    ] = Decimal("1.5")
    psi: Annotated[
        Decimal, Bar("Drift: population stability index above", "index", Decimal("0.01"), 10, strict="lower")
    ] = Decimal("0.2")

    def contradictions(self) -> list[str]:
        if self.budget_alert_usd > self.budget_daily_usd:
            return ["The budget alert must not lie above the daily cap: it would come too late."]
        return []


def _read(value: Any, limits: Bar, *, default: Any) -> Any:
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ValueError("write true or false.")
        return value
    if limits.text is not None:
        if not isinstance(value, str):
            raise ValueError("write it as text.")
        return limits.text(value)
    if limits.choices:
        if value not in limits.choices:
            raise ValueError(f"write one of {', '.join(limits.choices)}.")
        return value
    if isinstance(default, int):
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError("write a whole number.")
        number = Decimal(value)
    else:
        number = _decimal(value)
    too_low = limits.lowest is not None and number < limits.lowest
    if too_low or (limits.highest is not None and number > limits.highest):
        raise ValueError(f"{value} is outside of {limits.lowest} to {limits.highest}.")
    return value if isinstance(default, int) else number


def _decimal(value: Any) -> Decimal:
    """Binary floats are refused: whoever wrote 0.1 has already lost the number they meant."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError('write the number as a string, for example "0.02".')
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number.") from None
    if not number.is_finite():
        raise ValueError(f"{value} is not a number to compare with.")
    if number.as_tuple().exponent < -9 or len(number.as_tuple().digits) > 18:  # type: ignore[operator]
        raise ValueError(f"{value} has more digits than a threshold needs (nine after the point).")
    return number


def _write(value: Any) -> Any:
    """Decimals without exponent and trailing zeros, so that 0.10 and 0.1 are one policy with one digest."""
    if not isinstance(value, Decimal):
        return value
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _weaker(mine: Any, theirs: Any, spec: Bar) -> bool:
    if isinstance(mine, bool):
        return mine and not theirs
    if spec.choices:
        return spec.choices.index(mine) < spec.choices.index(theirs)
    if spec.text is not None:  # whatever was asked before and is not asked now
        return bool(set(theirs.replace(", ", "\n").splitlines()) - set(mine.replace(", ", "\n").splitlines()))
    match spec.strict:
        case "higher":
            return bool(mine < theirs)
        case "lower":
            return bool(mine > theirs)
    return False


def release_bars(body: Mapping[str, Any]) -> ReleaseBars:
    return ReleaseBars.parse(body)


def running_limits(body: Mapping[str, Any]) -> RunningLimits:
    return RunningLimits.parse(body)


SHIPPED_RELEASE_BARS = ReleaseBars()
SHIPPED_RUNNING_LIMITS = RunningLimits()
