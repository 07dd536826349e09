"""Rules for the items that the product verifies itself. Each takes facts and bars, and says met, not met or unknown.

A rule that cannot know answers unknown, never met. Comparisons are of exact decimals; a NaN or an infinity is unknown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from releases.gate.types import Facts, Question
from systems.policy import ReleaseBars


@dataclass(frozen=True)
class Finding:
    """`met` is None where it cannot be known."""

    met: bool | None
    sentence: str


Rule = Callable[[Facts, ReleaseBars, datetime], Finding]

RULES: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        RULES[name] = function
        return function

    return register


def unknown(sentence: str) -> Finding:
    return Finding(None, sentence)


def finite(value: Decimal | None) -> bool:
    return value is not None and value.is_finite()


def shown(value: Decimal | None) -> str:
    """Equal numbers read alike: 0.10 and 0.1 give one sentence, so that a replayed verdict is equal to the byte."""
    return "unknown" if value is None else f"{value.normalize():f}"


def percent(value: Decimal) -> str:
    return f"{(value * 100).quantize(Decimal('0.01')).normalize():f} %"


def _pinned(kind: str, name: str) -> Rule:
    """Every component of this kind has an approved, reviewed version pinned, and there is at least one."""

    def check(facts: Facts, bars: ReleaseBars, now: datetime) -> Finding:
        pins = [pin for pin in facts.pins if pin.kind == kind]
        if not pins:
            return unknown(f"The system has no {name}. Add it, and pin a version.")
        for pin in pins:
            if pin.version is None or not pin.sha256:
                return unknown(f"{pin.component} has no pinned version.")
            if pin.state not in ("approved", "deprecated") or not pin.reviewed:
                return Finding(False, f"{pin.component} version {pin.version} is not approved by a second person.")
        names = ", ".join(f"{pin.component} {pin.version}" for pin in pins)
        return Finding(True, f"Pinned and reviewed: {names}.")

    return check


RULES["prompt-versioned"] = _pinned("prompt", "prompt")
RULES["input-schema-pinned"] = _pinned("input_schema", "input schema")
RULES["output-schema-pinned"] = _pinned("output_schema", "output schema")
RULES["contract-pinned"] = _pinned("contract", "contract with limits")
RULES["model-pinned"] = _pinned("model", "model deployment")
RULES["dataset-hash"] = _pinned("dataset", "dataset")


@rule("pins-reviewed")
def pins_reviewed(facts: Facts, bars: ReleaseBars, now: datetime) -> Finding:
    """Every component of the system is pinned to a version that a second person approved."""
    if not facts.pins:
        return unknown("Nothing is pinned.")
    for pin in facts.pins:
        if pin.version is None or not pin.sha256:
            return unknown(f"{pin.component} has no pinned version.")
        if pin.state not in ("approved", "deprecated") or not pin.reviewed:
            return Finding(False, f"{pin.component} version {pin.version} is not approved by a second person.")
    return Finding(True, f"All {len(facts.pins)} components are pinned to reviewed versions.")


@rule("ownership-map-complete")
def ownership_map_complete(facts: Facts, bars: ReleaseBars, now: datetime) -> Finding:
    if facts.ownership_gaps:
        return Finding(False, f"Nobody holds: {', '.join(facts.ownership_gaps)}.")
    return Finding(True, "Every area of the ownership map has an owner.")


@rule("evaluation-stored")
def evaluation_stored(facts: Facts, bars: ReleaseBars, now: datetime) -> Finding:
    """Results are stored with the versions they were made from, and those are this release's."""
    run = facts.evaluation
    if run is None:
        return unknown("No evaluation run of this release is stored.")
    if not run.dataset_hash or not run.tool_version:
        return Finding(False, "The run does not say which dataset or which version of the tool made it.")
    if not run.dataset_matches or not run.pins_match:
        return Finding(False, f"The run does not belong to this release: {run.mismatch}")
    if not run.origin_proven:
        return Finding(
            False, "The run was pushed without a proven origin. A second person confirms where it came from."
        )
    return Finding(True, f"{run.tool} {run.tool_version}, {run.cases} cases on the pinned dataset.")


@rule("baseline-stored")
def baseline_stored(facts: Facts, bars: ReleaseBars, now: datetime) -> Finding:
    run = facts.evaluation
    if run is None:
        return unknown("No evaluation run of this release is stored.")
    if facts.first_release:
        return Finding(True, "The first release has no baseline; absolute bars apply.")
    if run.baseline_run is None or not finite(run.baseline_score):
        return unknown("The live release has no run on this dataset to compare with.")
    return Finding(True, f"Compared with the live release's run, which scored {shown(run.baseline_score)}.")


@rule("evaluation-gate")
def evaluation_gate(facts: Facts, bars: ReleaseBars, now: datetime) -> Finding:
    """Candidate >= baseline + minimum delta, in exact decimals; the first release against an absolute bar."""
    stored = evaluation_stored(facts, bars, now)
    run = facts.evaluation
    if not stored.met or run is None:
        return Finding(stored.met, stored.sentence)
    if run.score is None or not finite(run.score) or run.cases < 1:
        return unknown("The run has no score that can be compared.")
    if facts.first_release:
        if run.score < bars.eval_min_score:
            return Finding(
                False, f"Score {shown(run.score)} is below {shown(bars.eval_min_score)}, the bar of a first release."
            )
    else:
        if run.baseline_score is None or not finite(run.baseline_score):
            return unknown("The live release has no run on this dataset to compare with.")
        needed = run.baseline_score + bars.eval_min_delta
        if run.score < needed:
            bar = f"baseline {shown(run.baseline_score)} + {shown(bars.eval_min_delta)} = {shown(needed)}"
            return Finding(False, f"Score {shown(run.score)} is below {bar}.")
        if bars.eval_bar == "lower" and (run.lower is None or not finite(run.lower) or run.lower < bars.eval_min_delta):
            return Finding(
                False, f"The lower end of the interval, {shown(run.lower)}, is below {shown(bars.eval_min_delta)}."
            )
    if run.outcome == "inconclusive":
        return unknown(f"Not enough to decide. {' '.join(run.reasons)}".strip())
    if run.outcome != "pass":
        return Finding(False, " ".join(run.reasons) or "The evaluation did not pass.")
    against = f" against {shown(run.baseline_score)}" if run.baseline_score is not None else ""
    return Finding(True, f"Score {shown(run.score)}{against} on {run.cases} cases.")


def _share(part: int, whole: int, minimum: Decimal, bars: ReleaseBars, what: str) -> Finding:
    """part / whole >= minimum, once there are enough to say so. Compared without dividing."""
    if whole < bars.min_requests:
        return unknown(f"{bars.min_requests - whole} more requests are needed before {what} can be judged.")
    if part > whole or part < 0:
        return unknown(f"The counts for {what} contradict each other ({part} of {whole}).")
    rate = percent(Decimal(part) / Decimal(whole))
    if Decimal(part) < minimum * whole:
        return Finding(False, f"{rate} of {whole} requests, and {percent(minimum)} are asked: {what}.")
    return Finding(True, f"{rate} of {whole} requests: {what}.")


@rule("schema-validation-rate")
def schema_validation_rate(facts: Facts, bars: ReleaseBars, now: datetime) -> Finding:
    rates = facts.rates
    if rates is None:
        return unknown("No requests of this release have been recorded.")
    return _share(
        rates.schema_valid, rates.schema_checked, bars.schema_valid_min, bars, "outputs that fit their schema"
    )


@rule("source-attribution")
def source_attribution(facts: Facts, bars: ReleaseBars, now: datetime) -> Finding:
    rates = facts.rates
    if rates is None:
        return unknown("No requests of this release have been recorded.")
    return _share(rates.with_sources, rates.requests, Decimal(1), bars, "requests that name their sources")


@rule("request-ids")
def request_ids(facts: Facts, bars: ReleaseBars, now: datetime) -> Finding:
    rates = facts.rates
    if rates is None:
        return unknown("No requests of this release have been recorded.")
    return _share(rates.with_request_id, rates.requests, Decimal(1), bars, "requests whose id is carried end to end")


# A request whose provider call was cut off has no token count, so no cost. A few such do not hide what a request costs;
# more than these may be the expensive ones.
COST_KNOWN_MIN = Decimal("0.95")


@rule("cost-per-request")
def cost_per_request(facts: Facts, bars: ReleaseBars, now: datetime) -> Finding:
    """Cost per request over the baseline's, at most the allowed increase; a first release has an absolute cap."""
    rates = facts.rates
    if rates is None or rates.requests < bars.min_requests:
        missing = bars.min_requests - (rates.requests if rates else 0)
        return unknown(f"{missing} more requests are needed before cost per request can be judged.")
    if rates.cost_known > rates.requests or rates.cost_known < COST_KNOWN_MIN * rates.requests:
        return unknown(f"The cost of {rates.requests - rates.cost_known} of {rates.requests} requests is unknown.")
    if not finite(rates.cost_usd):
        return unknown("The cost is not a number.")
    cost = rates.cost_usd / rates.cost_known
    if facts.first_release:
        if cost > bars.first_release_cost_cap_usd:
            return Finding(
                False, f"{cost:.6f} USD per request is above the cap of {shown(bars.first_release_cost_cap_usd)}."
            )
        return Finding(True, f"{cost:.6f} USD per request, below the cap of {shown(bars.first_release_cost_cap_usd)}.")
    base = rates.baseline_cost_per_request_usd
    if base is None or not finite(base) or base <= 0:
        return unknown("The live release's cost per request is unknown.")
    if cost > base * (1 + bars.cost_increase_max):
        limit = percent(bars.cost_increase_max)
        return Finding(False, f"{cost:.6f} USD per request is more than {limit} above the live release's {base:.6f}.")
    return Finding(True, f"{cost:.6f} USD per request; the live release costs {base:.6f}.")


@rule("budget-guard")
def budget_guard(facts: Facts, bars: ReleaseBars, now: datetime) -> Finding:
    budget = facts.budget
    if budget is None or not finite(budget.cap_usd) or not finite(budget.alert_usd):
        return unknown("No daily budget with an alert threshold is set.")
    if budget.channels < 1:
        return Finding(False, "A budget alarm would reach nobody: connect a channel.")
    return Finding(
        True, f"{shown(budget.cap_usd)} USD a day, alert at {shown(budget.alert_usd)}, to {budget.channels} channels."
    )


@rule("alarm-delay")
def alarm_delay(facts: Facts, bars: ReleaseBars, now: datetime) -> Finding:
    """The slowest alarm of the last 30 days took at most five minutes from breach to delivery."""
    budget = facts.budget
    if budget is None or budget.worst_alarm_delay_seconds is None:
        return unknown("No alarm has been delivered in the last 30 days. Run a budget alarm drill.")
    delay = budget.worst_alarm_delay_seconds
    if delay > 300:
        return Finding(False, f"The slowest alarm took {delay} seconds; 300 are allowed.")
    return Finding(True, f"The slowest alarm took {delay} seconds.")


@rule("rollout-plan")
def rollout_plan(facts: Facts, bars: ReleaseBars, now: datetime) -> Finding:
    """A plan with share, duration and triggers, none of them looser than the policy."""
    plan = facts.plan
    if plan is None:
        return unknown("There is no rollout plan.")
    if not (finite(plan.share) and finite(plan.hours) and finite(plan.error_rate_max)):
        return unknown("The plan's share, hours or error rate is not a number.")
    if plan.source is None:
        return Finding(False, "The plan names no source to watch.")
    if plan.share > bars.canary_share:
        return Finding(False, f"The plan's share {percent(plan.share)} is above {percent(bars.canary_share)}.")
    if plan.hours < bars.canary_hours:
        return Finding(False, f"The plan watches {shown(plan.hours)} hours; the policy asks {bars.canary_hours}.")
    if plan.error_rate_max > bars.error_rate_max or plan.p95_ms_max > bars.p95_ms_max:
        return Finding(False, "A rollback trigger of the plan is looser than the policy's.")
    return Finding(
        True,
        f"{plan.strategy.capitalize()} at {percent(plan.share)} for {shown(plan.hours)} hours; rolls back above "
        f"{percent(plan.error_rate_max)} errors or {plan.p95_ms_max} ms p95.",
    )


@rule("canary-clean")
def canary_clean(facts: Facts, bars: ReleaseBars, now: datetime) -> Finding:
    """The rollout's windows cover the hours asked for, without a breach. Gaps count against it, never for it."""
    canary = facts.canary
    if canary is None:
        return unknown("The canary has not run.")
    if canary.breaches > 0 or canary.outcome == "fail":
        return Finding(False, " ".join(canary.reasons) or "A rollback trigger was breached.")
    if canary.requests < bars.min_requests:
        return unknown(f"{bars.min_requests - canary.requests} more requests are needed before rates can be judged.")
    if not finite(canary.covered_hours) or canary.covered_hours < bars.canary_hours:
        remaining = bars.canary_hours - canary.covered_hours
        return unknown(
            f"{shown(canary.covered_hours)} of {bars.canary_hours} hours are covered; {shown(remaining)} to go."
        )
    if canary.outcome != "pass":
        return unknown(" ".join(canary.reasons) or "The judge has not decided.")
    return Finding(True, f"{shown(canary.covered_hours)} covered hours without a breach.")


@rule("approved-traffic")
def approved_traffic(facts: Facts, bars: ReleaseBars, now: datetime) -> Finding:
    if facts.rates is None or facts.rates.requests < 1:
        return unknown("No requests of this release have been recorded.")
    if facts.rates.unapproved:
        return Finding(False, f"{facts.rates.unapproved} requests carry a prompt or model that no release approved.")
    return Finding(True, "Every request carries what was approved.")


@rule("artifacts-retained")
def artifacts_retained(facts: Facts, bars: ReleaseBars, now: datetime) -> Finding:
    """A release to go back to is kept whole (its pins refuse deletion), or the system has a fallback that serves."""
    if facts.retained_release:
        return Finding(True, f"A rollback restores {facts.retained_release}.")
    if any(pin.kind == "fallback" and pin.version for pin in facts.pins):
        return Finding(True, "There is no earlier release; the pinned fallback serves.")
    if facts.question is Question.CANARY and facts.first_release:
        return unknown("A first release needs a pinned fallback to go back to.")
    return unknown("There is nothing that a rollback could restore.")


def _drill(kind: str, days: int, facts: Facts, now: datetime) -> tuple[int | None, str]:
    """Seconds that the latest passed drill of this kind took, where it is young enough; else None and why."""
    found = [drill for drill in facts.drills if drill.kind == kind and drill.ended_at <= now]
    if not found:
        return None, f"No {kind.replace('_', ' ')} drill has been passed."
    latest = max(found, key=lambda drill: drill.ended_at)
    if now - latest.ended_at > timedelta(days=days):
        return None, f"The last {kind.replace('_', ' ')} drill is older than {days} days."
    return latest.seconds, f"Drill passed on {latest.ended_at:%Y-%m-%d}, {latest.seconds} seconds measured."


@rule("rollback-tested")
def rollback_tested(facts: Facts, bars: ReleaseBars, now: datetime) -> Finding:
    """A rollback drill that passed, young enough, measured within the time that the policy allows."""
    seconds, sentence = _drill("rollback", bars.drill_validity_days, facts, now)
    if seconds is None:
        return unknown(sentence)
    if seconds > bars.rollback_minutes * 60:
        return Finding(False, f"The rollback took {seconds} seconds; {bars.rollback_minutes} minutes are allowed.")
    return Finding(True, sentence)


@rule("incident-simulated")
def incident_simulated(facts: Facts, bars: ReleaseBars, now: datetime) -> Finding:
    """Asked before the first launch, when nobody has worked through an incident of this system yet."""
    if not facts.first_release:
        return Finding(True, "Asked before the first launch only.")
    seconds, sentence = _drill("incident", bars.drill_validity_days, facts, now)
    return unknown(sentence) if seconds is None else Finding(True, sentence)
