"""The record and the gate at full size: `python -m bench.record ledger|gate|bundle|page` (see docs/performance.md).

ledger   a million entries: sealed, verified in full by `manage.py verify` (goal: 10 s and 500 MB), proofs (goal: 5 ms)
gate     200 items with 1,000 pieces of evidence, asked alone, 20 times a second beside a running worker (goal: p95
         50 ms), and the same while spans are taken in
bundle   the bundle of a decision with 500 pieces of evidence, made and verified (goal: 10 s)
page     the page of a release with 200 items, half of them worked on to the end (goal: 100 ms)
"""

import argparse
import os
import tempfile
from pathlib import Path

from bench.trail.server import database


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.record", description=__doc__)
    parser.add_argument("part", choices=["ledger", "gate", "bundle", "page"])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--artifacts", type=int, help="pieces of evidence (gate: 1000, bundle: 500)")
    parser.add_argument("--seconds", type=int, default=30, help="how long the gate is asked")
    parser.add_argument("--rounds", type=int, default=100, help="how often the page is asked for")
    options = parser.parse_args()
    os.environ["READINESS_REQUIRE_MFA"] = "0"
    with tempfile.TemporaryDirectory(prefix="readiness-bench-") as folder, database(Path(folder)):
        if options.part == "ledger":
            from bench.record import ledger

            ledger.measure(options.entries)
        elif options.part == "page":
            from bench.record import page

            page.measure(options.rounds)
        else:
            from bench.record import release

            if options.part == "gate":
                release.measure_gate(options.artifacts or 1000, seconds=options.seconds)
            else:
                release.measure_bundle(options.artifacts or 500)


if __name__ == "__main__":
    main()
