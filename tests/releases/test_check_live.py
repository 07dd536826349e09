"""`bin/readiness check` against the real server: exit codes 0, 1, 2 and 3, as a pipeline meets them."""

import os
import subprocess
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.actions import issue_token
from demo import walk

COMMAND = Path(__file__).resolve().parents[2] / "bin" / "readiness"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def check(now_stage, live_server):
    people = now_stage.people
    _, token = issue_token(
        owner=people.engineer, name="ci", scopes=["gate:read"], system=now_stage.system.slug,
        by=people.admin, now=timezone.now(),
    )  # fmt: skip

    def run(*arguments: str, url: str = live_server.url, secret: str = token) -> tuple[int, str]:
        environment = {"PATH": os.environ["PATH"], "READINESS_URL": url, "READINESS_TOKEN": secret}
        done = subprocess.run(
            [COMMAND, "check", *arguments], env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_the_four_exit_codes(now_stage, check):
    name = f"{now_stage.system.slug}:{now_stage.release.label}"
    code, text = check(name, "--question", "canary")
    assert (code, "NO-GO" in text, "Engineering has not signed." in text) == (1, True, True), text
    walk.sign_both(now_stage.release, now_stage.people, now=timezone.now())
    code, text = check(name, "--question", "canary")
    assert (code, text.startswith("GO  ")) == (0, True), text
    code, text = check(name)  # the other question is still open
    assert code == 1, text
    for given in ({"secret": "rdy_wrong"}, {"url": "http://127.0.0.1:9"}):
        code, text = check(name, "--question", "canary", **given)
        assert (code, "CANNOT DECIDE" in text) == (3, True), text
    assert check("another:release", "--question", "canary")[0] == 3
    for wrong in (("",), (name, "--question", "shadow"), (name, "--every", "0")):
        assert check(*wrong)[0] == 2, wrong
    assert check(name, url="ftp://x")[0] == 2
