"""The tests of the gate, tested: with one thing changed in a rule, one of them fails. All mutants by --long."""

import subprocess
import sys

import pytest


def mutation(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "tests.mutation", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_mutant_of_the_clearance_does_not_survive():
    code, said = mutation("--sample", "2", "--module", "releases.gate.clearance")
    assert (code, "2 mutants, 0 survived" in said) == (0, True), said


@pytest.mark.long
@pytest.mark.timeout(14_400)
def test_no_mutant_of_the_gate_survives():
    code, said = mutation()
    assert code == 0, said
