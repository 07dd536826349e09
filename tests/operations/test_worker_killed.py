"""A real worker process, killed by SIGKILL while the receiver has the message but has not answered yet."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.db import connection
from django.utils import timezone
from standardwebhooks import Webhook

from operations import deliver
from operations.actions.channels import create_channel
from operations.models import Delivery
from operations.notify import notify

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys, django; django.setup()
from django.utils import timezone
from operations.deliver import attempt
attempt(sys.argv[1], now=timezone.now())
"""


@pytest.fixture
def worker(settings):
    """Starts a process of its own on the test's database that attempts one delivery."""
    running = []

    def start(delivery):
        given = connection.settings_dict
        url = f"postgres://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"
        env = os.environ | {
            "DATABASE_URL": url,
            "DJANGO_SETTINGS_MODULE": "readiness.settings",
            "READINESS_EGRESS_ALLOW": ",".join(settings.EGRESS_ALLOW),
        }
        running.append(subprocess.Popen([sys.executable, "-c", PROGRAM, str(delivery.pk)], cwd=CHECKOUT, env=env))
        return running[-1]

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()


def until(condition, what):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.mark.django_db(transaction=True)
def test_the_message_goes_out_again_under_its_id_and_the_log_says_so(system, admin, receiver, worker, now):
    _, secret = create_channel(system=system, name="Bot", kind="webhook", target=receiver.url, by=admin, now=now)
    told = {"topic": "releases.signed", "system": system, "subject": "release:1", "title": "T", "body": "", "url": ""}
    delivery = notify(**told, now=now).deliveries.get()

    receiver.hold()
    process = worker(delivery)
    until(lambda: receiver.requests, "the message never reached the receiver")
    process.send_signal(signal.SIGKILL)
    process.wait()
    receiver.release()

    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.interrupted) == ("waiting", 1, 0)
    soon = timezone.now() + timedelta(seconds=10)
    assert not deliver.due(soon).exists()  # its lease has not run out: it may still be alive

    later = timezone.now() + deliver.LEASE + timedelta(seconds=1)
    with time_machine.travel(later):
        deliver.attempt(str(delivery.pk), now=later)
        for headers, body in receiver.requests:
            Webhook(secret).verify(body, headers)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.interrupted) == ("sent", 2, 1)
    assert {headers["webhook-id"] for headers, _ in receiver.requests} == {delivery.message_id}
    assert len(receiver.requests) == 2


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_at_once_one_sends(system, admin, receiver, worker, now):
    create_channel(system=system, name="Bot", kind="webhook", target=receiver.url, by=admin, now=now)
    told = {"topic": "releases.signed", "system": system, "subject": "release:1", "title": "T", "body": "", "url": ""}
    delivery = notify(**told, now=now).deliveries.get()
    processes = [worker(delivery), worker(delivery)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert len(receiver.requests) == 1
    assert Delivery.objects.get().attempts == 1
