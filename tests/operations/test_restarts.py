"""An alarm while the worker and the broker are down: how long until it reaches a mailbox and a receiver."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from standardwebhooks import Webhook

from operations.actions.channels import create_channel
from operations.models import Delivery
from operations.notify import notify
from operations.queries import alarm_delays
from readiness.up.broker import free_port

CHECKOUT = Path(__file__).resolve().parents[2]
TOPIC = "operations.budget-exceeded"
BROKER = shutil.which("valkey-server") or shutil.which("redis-server")


class Machine:
    """A broker and a worker with its beat, as processes that can be killed and started again."""

    def __init__(self, folder, settings):
        self.folder, self.port, self.running = folder, free_port(), {}
        given = connection.settings_dict
        mailer = settings.MAILERS["default"]["OPTIONS"]
        self.env = os.environ | {
            "DATABASE_URL": f"postgres://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}/{given['NAME']}",
            "CELERY_BROKER_URL": f"redis://127.0.0.1:{self.port}/0",
            "EMAIL_URL": f"smtp://{mailer['host']}:{mailer['port']}",
            "READINESS_EGRESS_ALLOW": ",".join(settings.EGRESS_ALLOW),
        }

    def start(self):
        self._run("broker", BROKER, "--port", str(self.port), "--save", "", "--bind", "127.0.0.1")
        celery = [sys.executable, "-m", "celery", "-A", "readiness", "worker", "-B", "-c", "1", "-l", "INFO"]
        self._run("worker", *celery, "-s", str(self.folder / "beat"))

    def kill(self):
        """Power cut: nobody gets to say goodbye."""
        for process in self.running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.running = {}

    def _run(self, name, *command):
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                command, cwd=CHECKOUT, env=self.env, start_new_session=True, stdout=log, stderr=subprocess.STDOUT
            )


@pytest.fixture
def machine(tmp_path, settings, inbox, receiver):
    if BROKER is None:
        pytest.fail("This needs valkey-server or redis-server: apt-get install redis-server")
    found = Machine(tmp_path, settings)
    yield found
    found.kill()


def arrived(seconds, machine):
    deadline = time.monotonic() + seconds
    while Delivery.objects.exclude(state="sent").exists():
        log = (machine.folder / "worker.log").read_text()[-3000:]
        assert time.monotonic() < deadline, f"{list(Delivery.objects.values())}\n{log}"
        time.sleep(0.2)


def mails(inbox, person, words):
    return [mail for mail in inbox.to(person.email) if words in mail.content]


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.django_db(transaction=True)
def test_an_alarm_arrives_in_time_although_worker_and_broker_went_down(
    system, admin, people, inbox, receiver, machine, settings
):
    settings.CELERY_BROKER_URL = machine.env["CELERY_BROKER_URL"]
    oli = people("Oli", "operations")
    now = timezone.now()
    _, secret = create_channel(
        system=system, name="Bot", kind="webhook", target=receiver.url, topics=[TOPIC], by=admin, now=now
    )
    told = {"topic": TOPIC, "system": system, "subject": "x:1", "body": "", "url": ""}

    def alarm(title):
        notify(**told, title=title, roles=["operations"], now=timezone.now(), breach_at=timezone.now())

    machine.start()
    notify(**told, title="Is it up?", now=timezone.now())
    arrived(120, machine)

    alarm("First")
    arrived(60, machine)
    typical = alarm_delays(system, timezone.now()).worst
    assert typical < timedelta(seconds=30)
    assert len(mails(inbox, oli, b"First")) == 1 and len(receiver.requests) == 2

    machine.kill()
    alarm("Second")
    time.sleep(5)
    assert len(receiver.requests) == 2
    machine.start()
    arrived(200, machine)
    assert len(mails(inbox, oli, b"Second")) == 1 and len(receiver.requests) == 3

    headers, body = receiver.requests[2]
    assert Webhook(secret).verify(body, headers)["data"]["title"] == "Second"
    delays = alarm_delays(system, timezone.now())
    print(f"first {typical}, with worker and broker killed {delays.worst}")
    assert delays.undelivered == 0 and delays.worst < timedelta(minutes=5)
