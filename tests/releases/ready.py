"""A release that may go to its canary: items done, drills passed, an alarm channel proven, an evaluation judged."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from demo import walk
from metrics.evaluation import parse, record_run
from metrics.models import EvaluationRun
from operations.models import Channel, Delivery, Notification
from operations.queries import ALARM_TOPIC
from releases.judging import judge_waiting
from tests.factories import NOW

SAMPLES = Path(__file__).parent.parent / "samples"
INSPECT = SAMPLES / "inspect" / "0.3.285"


def prove_channel(system: Any, *, by: Any, now: Any = NOW) -> None:
    """A channel on which a test message has arrived, and a budget alarm within nine seconds. What arriving takes is
    tested in tests/operations."""
    channel = Channel.objects.create(
        system=system,
        kind="email",
        name="On call",
        target="oncall@example.test",
        created_by=by,
        created_at=now,
        tested_at=now,
    )
    deliver_alarm(channel, now=now)


def deliver_alarm(channel: Channel, *, now: Any) -> None:
    """What one counts for ends thirty days later."""
    alarm = Notification.objects.create(
        topic=ALARM_TOPIC, system=channel.system, subject="drill:1", key=f"drill:{channel.pk}:{now:%Y-%m-%d}",
        title="Drill", body="Drill", breach_at=now, created_at=now,
    )  # fmt: skip
    took = timedelta(seconds=9)
    Delivery.objects.create(
        notification=alarm, channel=channel, state=Delivery.State.SENT, sent_at=now + took, delay=took, attempts=1,
        next_at=now, created_at=now,
    )  # fmt: skip


def record_evaluation(stage: Any, label: str = "2026.11.2", *, now: Any = NOW) -> EvaluationRun:
    raw = (INSPECT / f"{label}.eval").read_bytes()
    answer = parse("inspect_ai", raw)
    run, _ = record_run(
        system=stage.system,
        answer=answer,
        raw=raw,
        origin=EvaluationRun.Origin.PULLED,
        by=stage.people.engineer,
        now=now,
    )
    return run


def make_ready(stage: Any) -> Any:
    walk.do_checklist(stage.release, stage.people, now=NOW)
    walk.answer_questions(stage.release, by=stage.people.product, now=NOW)
    walk.drill(stage.system, "rollback", stage.people, now=NOW)
    walk.drill(stage.system, "incident", stage.people, now=NOW)
    prove_channel(stage.system, by=stage.people.operator)
    record_evaluation(stage)
    judge_waiting(now=NOW)
    return stage
