"""The deploy system that docs/how-to/drills.md shows, run as it stands there against a server of the product."""

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from audit import derivation
from demo import walk
from operations.actions.channels import create_channel
from operations.actions.drills import plan_drill, start_drill
from readiness.up.broker import free_port

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "drills.md"


@pytest.fixture
def script(tmp_path, live_server, settings, system, admin, now):
    """The page's script behind a webhook of the system."""
    (code,) = re.findall(r"```python\n(# deploy_hook\.py.*?)```", PAGE.read_text(), re.DOTALL)
    port, path = free_port(), tmp_path / "deploy_hook.py"
    path.write_text(code)
    settings.EGRESS_ALLOW = [f"127.0.0.1:{port}"]
    hook, secret = create_channel(
        system=system, name="Deploy", kind="webhook", target=f"http://127.0.0.1:{port}/", by=admin, now=now
    )
    given = {"HOOK_SECRET": secret, "READINESS_URL": live_server.url, "PORT": str(port)}
    running = subprocess.Popen([sys.executable, path], env=os.environ | given, stderr=subprocess.DEVNULL)
    yield hook
    running.terminate()
    running.wait()


@pytest.mark.django_db(transaction=True)
def test_the_script_of_the_page_is_told_and_confirms(script, system, people, monkeypatch):
    monkeypatch.setattr(derivation, "QUIET", timedelta(0))
    oli = people("Oli", "operations")
    drill = plan_drill(
        system=system, kind="rollback", environment="staging", plan="Break it.", participants=[], by=oli,
        now=timezone.now(), by_product=True, hook=script,
    )  # fmt: skip
    walk.work_until_ended(start_drill(drill=drill, by=oli, now=timezone.now()))
    drill.refresh_from_db()
    assert (drill.outcome, drill.log) == (
        "passed", "The trigger fired on synthetic errors, and fallback serves again in staging.",
    )  # fmt: skip
