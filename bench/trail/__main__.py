"""`python -m bench.trail fill`, then any other part: see docs/performance.md."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from bench.trail.server import KEPT, database


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.trail", description=__doc__)
    parser.add_argument("part", choices=["fill"])
    parser.add_argument("--spans", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, default=KEPT, help="the data folder, which is kept")
    options = parser.parse_args()
    with database(options.folder.absolute(), as_superuser=options.part == "fill"):
        if options.part == "fill":
            from bench.trail.fill import fill

            fill(options.spans, until=datetime.now(UTC))


if __name__ == "__main__":
    main()
