import subprocess
import sys

from readiness.collector import LOOK_AFTER

ASK = "import gc; print(gc.get_freeze_count() > 1_000, gc.get_threshold()[0])"


def test_a_settled_process_passes_over_what_it_has_loaded():
    said = subprocess.check_output(
        [sys.executable, "-c", f"from readiness import collector; collector.settle(); {ASK}"]
    )
    assert said.decode().split() == ["True", str(LOOK_AFTER)]


def test_pool_processes_of_the_worker_are_settled():
    load = "from celery.signals import worker_process_init; import readiness.celery; worker_process_init.send(None)"
    said = subprocess.check_output([sys.executable, "-c", f"{load}; {ASK}"], stderr=subprocess.DEVNULL)
    assert said.decode().split() == ["True", str(LOOK_AFTER)]
