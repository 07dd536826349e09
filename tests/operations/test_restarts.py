"""Spending that crosses a budget while web, worker and broker are killed: how long until it reaches people.

Everything is real: the requests come in over HTTP, the processes are those of an installation, and they die by SIGKILL.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from standardwebhooks import Webhook

from operations.actions.channels import create_channel
from operations.models import Delivery
from operations.queries import alarm_delays
from readiness.up.broker import free_port
from tests.audit import sending

CHECKOUT = Path(__file__).resolve().parents[2]
BROKER = shutil.which("valkey-server") or shutil.which("redis-server")
BOUND = timedelta(minutes=5)


class Machine:
    """Broker, web and worker with its beat, as processes that can be killed and started again."""

    def __init__(self, folder, settings):
        self.folder, self.broker, self.web, self.running = folder, free_port(), free_port(), {}
        given = connection.settings_dict
        mailer = settings.MAILERS["default"]["OPTIONS"]
        self.env = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DATABASE_URL": f"postgres://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}/{given['NAME']}",
            "CELERY_BROKER_URL": f"redis://127.0.0.1:{self.broker}/0",
            "EMAIL_URL": f"smtp://{mailer['host']}:{mailer['port']}",
            "READINESS_EGRESS_ALLOW": ",".join(settings.EGRESS_ALLOW),
            "READINESS_BIND": f"127.0.0.1:{self.web}",
            "READINESS_WEB_PROCESSES": "1",
        }

    def start(self, *names):
        commands = {
            "broker": [BROKER, "--port", str(self.broker), "--save", "", "--bind", "127.0.0.1"],
            "web": [CHECKOUT / "bin" / "entrypoint", "web"],
            "worker": [sys.executable, "-m", "celery", "-A", "readiness", "worker", "-B", "-c", "1", "-l", "INFO",
                       "-s", str(self.folder / "beat")],
        }  # fmt: skip
        for name in names or commands:
            with (self.folder / f"{name}.log").open("ab") as log:
                self.running[name] = subprocess.Popen(
                    commands[name], cwd=CHECKOUT, env=self.env, start_new_session=True, stdout=log, stderr=log
                )
        until(self.answers, 120, self.logs)

    def kill(self, *names):
        """Power cut: nobody gets to say goodbye."""
        for name in names or list(self.running):
            process = self.running.pop(name)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def answers(self):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.web}/healthz", timeout=5).status == 200
        except (urllib.error.URLError, OSError):
            return False

    def logs(self):
        return "\n".join(path.read_text()[-2000:] for path in sorted(self.folder.glob("*.log")))

    def spend(self, token, dollars):
        """One request that cost so much, as its application reports it. Answered means stored."""
        spans = sending.chat_trace(start=timezone.now(), gen_ai__request__model="in-house", readiness__cost_usd=dollars)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        sent = urllib.request.Request(
            f"http://127.0.0.1:{self.web}/v1/traces", data=sending.request_json(*spans), headers=headers
        )
        with urllib.request.urlopen(sent, timeout=30) as answer:
            assert answer.status == 200


@pytest.fixture
def machine(tmp_path, settings, inbox, receiver):
    if BROKER is None:
        pytest.fail("This needs valkey-server or redis-server: apt-get install redis-server")
    found = Machine(tmp_path, settings)
    yield found
    found.kill()


def until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.2)


def arrived(topic, system, machine):
    """Waits until the alarm has reached everybody, and says how long that took since the spending crossed the limit."""
    of_it = Delivery.objects.filter(notification__topic=topic, notification__system=system)
    until(
        lambda: of_it.exists() and not of_it.exclude(state="sent").exists(),
        BOUND.total_seconds(),
        lambda: f"{list(of_it.values())}\n{machine.logs()}",
    )
    return max(delivery.delay for delivery in of_it)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.django_db(transaction=True)
def test_an_alarm_arrives_in_time_although_web_worker_and_broker_were_killed(
    system, other_system, admin, people, inbox, receiver, machine, record_property
):
    oli, now = people("Oli", "operations"), timezone.now()
    _, secret = create_channel(
        system=None, name="Bot", kind="webhook", target=receiver.url,
        topics=["operations.budget-alert", "operations.budget-exceeded"], by=admin, now=now,
    )  # fmt: skip
    tokens = {one.slug: sending.ingest_token(one.slug) for one in (system, other_system)}
    machine.start()

    machine.spend(tokens[system.slug], "46")
    usual = arrived("operations.budget-alert", system, machine)

    machine.spend(tokens[system.slug], "6")
    machine.kill()  # acknowledged a moment ago, and nobody has looked at it yet
    time.sleep(5)
    assert len(receiver.requests) == 1
    machine.start()
    after_all = arrived("operations.budget-exceeded", system, machine)

    machine.spend(tokens[other_system.slug], "60")
    machine.kill("broker")  # and with it whatever it was told
    time.sleep(2)
    machine.start("broker")
    after_broker = arrived("operations.budget-exceeded", other_system, machine)

    delays = {"nothing killed": usual, "all killed": after_all, "broker killed": after_broker}
    for what, delay in delays.items():
        record_property(f"alarm delay, {what}", delay.total_seconds())
        print(f"{what}: {delay.total_seconds():.1f} s")
    assert max(delays.values()) < BOUND, delays
    for one in (system, other_system):
        found = alarm_delays(one, timezone.now())
        assert found.undelivered == 0 and found.worst < BOUND
    assert len(receiver.requests) == 3
    subjects = [str(message_from_bytes(mail.content, policy=default)["subject"]) for mail in inbox.to(oli.email)]
    assert len([subject for subject in subjects if "budget" in subject]) == 3, subjects
    for headers, body in receiver.requests:
        Webhook(secret).verify(body, headers)
