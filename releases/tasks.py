"""Background work: fetch by id, call one action."""

from datetime import datetime

from jobs.tasks import job_task
from releases import asking, bundling, judging, lapsing, ticket, watching
from releases.actions import instructing, probing


@job_task("releases.judge_run")
def judge_run(*, run_id: str, now: datetime) -> None:
    judging.judge_run(run_id=run_id, now=now)


@job_task("releases.judge_waiting")
def judge_waiting(*, now: datetime) -> None:
    judging.judge_waiting(now=now)


@job_task("releases.watch_rollouts")
def watch_rollouts(*, now: datetime) -> None:
    watching.watch_all(now=now)


@job_task("releases.look_at_instructions")
def look_at_instructions(*, now: datetime) -> None:
    instructing.look_at_waiting(now=now)


@job_task("releases.ask_for_signatures")
def ask_for_signatures(*, now: datetime) -> None:
    asking.look(now=now)


@job_task("releases.look_at_evidence")
def look_at_evidence(*, now: datetime) -> None:
    lapsing.look(now=now)


@job_task("releases.request_sign_off")
def request_sign_off(*, release_id: str, now: datetime) -> None:
    asking.request_sign_off(release_id=release_id, now=now)


@job_task("releases.remind_sign_off")
def remind_sign_off(*, release_id: str, days: int, now: datetime) -> None:
    asking.remind_sign_off(release_id=release_id, days=days, now=now)


@job_task("releases.make_bundle")
def make_bundle(*, decision_id: str, now: datetime) -> None:
    bundling.make(decision_id=decision_id, now=now)


@job_task("releases.tell_ticket")
def tell_ticket(*, bundle_id: str, now: datetime) -> None:
    ticket.tell(bundle_id=bundle_id)


@job_task("releases.probe_contract")
def probe_contract(*, probe_id: str, now: datetime) -> None:
    probing.perform(probe_id=probe_id, now=now)
