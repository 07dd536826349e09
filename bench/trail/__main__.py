"""`python -m bench.trail fill`, then `browse` or `ingest`: see docs/performance.md."""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

from bench.trail.server import KEPT, database


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.trail", description=__doc__)
    parser.add_argument("part", choices=["fill", "browse", "ingest", "peers", "walk", "verify"])
    parser.add_argument("--spans", type=int, default=10_000_000, help="how many the trail shall have")
    parser.add_argument("--folder", type=Path, default=KEPT, help="the data folder, which is kept")
    parser.add_argument("--seconds", type=int, default=15, help="of each round of ingest")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--senders", type=int, default=4, help="processes that send: enough that no web process waits")
    parser.add_argument("--look-ups", type=int, default=1_000)
    parser.add_argument("--peer-spans", type=int, default=100_000, help="for MLflow; Phoenix gets a tenth")
    options = parser.parse_args()
    os.environ["READINESS_REQUIRE_MFA"] = "0"  # the bench's auditor has no phone
    with database(options.folder.absolute(), as_superuser=options.part == "fill") as superuser:
        if options.part == "fill":
            from bench.trail.fill import fill

            fill(options.spans, until=datetime.now(UTC))
        elif options.part == "browse":
            from bench.trail import browse

            browse.measure(superuser, look_ups=options.look_ups, anchors=options.rounds)
        elif options.part == "walk":
            from bench.trail import walk

            walk.measure(options.folder.absolute())
        elif options.part == "verify":
            from bench.trail import verify

            verify.measure()
        elif options.part == "peers":
            from bench.trail import peers

            peers.measure(superuser, options.folder.absolute(), spans=options.peer_spans)
        else:
            from bench.trail import ingest

            ingest.measure(superuser, seconds=options.seconds, rounds=options.rounds, senders=options.senders)


if __name__ == "__main__":
    main()
