"""The floors: import-linter runs, and its contract covers every package and every pure module there is."""

import subprocess
import sys
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
CONFIG = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]
# Rules and proofs: what an auditor may want to run without Django, or read without knowing it.
PURE_NAMES = {"gate", "rules", "judges", "canonical", "merkle", "checkpoint", "leaf"}


def packages() -> set[str]:
    return {path.parent.name for path in CHECKOUT.glob("*/__init__.py")} - {"tests", "bench"}


def test_the_contracts_hold() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter, "--no-logo"], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_package_has_its_floor() -> None:
    layers = next(contract["layers"] for contract in CONFIG["contracts"] if contract["type"] == "layers")
    floors = [name for layer in layers for name in layer.split(" | ")]  # two on one floor know nothing of each other
    assert packages() == set(floors) == set(CONFIG["root_packages"])


def test_every_pure_module_is_under_contract() -> None:
    pure = {
        f"{package}.{path.stem}"
        for package in packages()
        for path in (CHECKOUT / package).iterdir()
        if path.stem in PURE_NAMES and (path.suffix == ".py" or (path / "__init__.py").exists())
    }
    listed = next(contract["source_modules"] for contract in CONFIG["contracts"] if contract["type"] == "forbidden")
    assert pure <= set(listed), f"add to pyproject.toml: {sorted(pure - set(listed))}"
