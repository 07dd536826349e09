"""How fast spans are taken in, and how soon they are sealed: `python -m bench.trail ingest`.

The product's web server and worker, and load from processes of their own: OTLP in protobuf, gzip off, batches of a
thousand spans, a token, and everything on (contract, redaction, prices, hashing, encryption, deduplication). Beside it,
in the same run, the anchors: COPY of the same rows into a table that is made alike and empty, and into the trail as it
stands; and SHA-256 of the same leaves.
"""

import hashlib
import os
import time
from bisect import bisect_left
from datetime import UTC, date, datetime
from multiprocessing import get_context
from threading import Event, Thread
from typing import Any

import psutil
import psycopg

from audit import partitions
from bench.trail.people import median, p95, token
from bench.trail.sending import BATCH, PORT, RELEASE, batch, meet, send, send_one
from bench.trail.server import processes, settled
from bench.trail.traffic import MODELS, PROMPT_HASHES, RELEASES, Traffic

SYSTEM = "bench-load"
LARGEST = 10_000  # spans, as many as one request may carry


def measure(superuser: str, *, seconds: int, rounds: int, senders: int) -> None:
    secret = token(SYSTEM, "ingest")
    _approve()
    rates: list[float] = []
    partitions.make_ahead(datetime.now(UTC).date())  # as a worker does when it starts: the anchors come before it
    anchors = [_anchor(superuser) for _ in range(rounds)]
    empty, grown, hashed = (median(list(each)) for each in zip(*anchors, strict=True))
    print(f"COPY of the same rows, one connection, into an empty table: {empty:,.0f} spans/s", flush=True)
    print(f"COPY of the same rows, one connection, into the trail as it stands: {grown:,.0f} spans/s", flush=True)
    print(f"SHA-256 of the same leaves: {hashed:,.0f} spans/s", flush=True)
    spawn = get_context("spawn")
    meeting = spawn.Barrier(senders)
    with (
        processes("web", "worker", "beat", port=PORT) as running,
        spawn.Pool(senders, initializer=meet, initargs=(meeting,)) as pool,
    ):
        settled()  # where an earlier run left something, the product would turn this one away
        watch = _Watch(running[0].pid)
        for number in range(rounds):
            sent = pool.starmap(send, [(secret, seconds, f"{number} {n} {time.time()}") for n in range(senders)])
            rates.append(sum(count / took for count, took in sent))
            print(f"  round {number + 1}: {rates[-1]:,.0f} spans/s acknowledged", flush=True)
        time.sleep(12)  # the last ones are sealed meanwhile
        lags = watch.lags()
        calm = watch.memory
        watch.memory = 0
        send_one(secret, LARGEST)
        time.sleep(1)
        watch.stop()
        rate = median(rates)
        print(f"OTLP ingest: {rate:,.0f} spans/s, {rate / empty:.2f} of COPY into an empty table, ", end="")
        print(f"{rate / grown:.2f} of COPY into the same one (floor 0.15, target 0.30)")
        print(f"sealing lag at full ingest: p50 {median(lags):.1f} s, p95 {p95(lags):.1f} s (floor 10, target 3)")
        print(f"memory of a web worker: {calm / 2**20:.0f} MB under load, ", end="")
        print(f"{watch.memory / 2**20:.0f} MB with a batch of {LARGEST:,} spans (floor 300, target 150)", flush=True)


def _approve() -> None:
    """What is sent is approved traffic, as nearly all traffic is."""
    from audit import fingerprints

    fingerprints.approve(
        system=SYSTEM,
        release_label=RELEASES[RELEASE],
        release_id="bench-load",
        fingerprint={
            "prompt_hash": [PROMPT_HASHES[RELEASE]],
            "model": list(MODELS),
            "release": [RELEASES[RELEASE]],
        },
        share=None,
        now=datetime.now(UTC),
    )


def _anchor(superuser: str) -> tuple[float, float, float]:
    """The same rows by COPY, and the hash of their leaves: what no ingest can beat."""
    from audit.contract import IngestProfile
    from audit.ingest.otlp import decode_protobuf
    from audit.ingest.prepare import Source, prepare
    from audit.ingest.rows import leaf_bytes
    from audit.ingest.store import _values
    from audit.payloads import keys_for
    from web.ids import uuid7

    traffic, now = Traffic(f"anchor {time.time()}"), datetime.now(UTC)
    source = Source(SYSTEM, "production", 0, IngestProfile())
    keys = keys_for(SYSTEM, [date.fromordinal(now.toordinal() + day) for day in (-1, 0, 1)], now=now)
    batches, leaves = [], []
    for _ in range(40):
        prepared = prepare(decode_protobuf(batch(traffic, BATCH)), source=source, keys=keys, now=now).spans
        batches.append([_values(span, uuid7(), place, now) for place, span in enumerate(prepared)])
        leaves += [leaf_bytes(span.row) for span in prepared]
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bench_copy")
        connection.execute("CREATE TABLE bench_copy (LIKE audit_span INCLUDING ALL) PARTITION BY RANGE (started_at)")
        connection.execute("CREATE TABLE bench_copy_1 PARTITION OF bench_copy DEFAULT")
        empty = _copied(connection, "bench_copy", batches)
        connection.execute("DROP TABLE bench_copy")
        with connection.transaction(force_rollback=True):  # no batch speaks of these spans: they must not stay
            grown = _copied(connection, "audit_span", batches)
    began = time.perf_counter()
    for leaf in leaves:
        hashlib.sha256(leaf).digest()
    return empty, grown, len(leaves) / (time.perf_counter() - began)


def _copied(connection: psycopg.Connection, table: str, batches: list[list[Any]]) -> float:
    """Rows a second."""
    from audit.ingest.rows import COLUMNS, column_types

    began = time.monotonic()
    for rows in batches:
        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY {table} ({', '.join(COLUMNS)}) FROM STDIN (FORMAT BINARY)") as into,
        ):
            into.set_types(column_types())
            for row in rows:
                into.write_row(row)
    return sum(map(len, batches)) / (time.monotonic() - began)


class _Watch:
    """What is seen from outside while load runs: heads as they appear, and the memory of the web processes."""

    def __init__(self, web: int) -> None:
        self.web, self.memory = web, 0
        self.heads: list[tuple[int, float]] = []
        self.over = Event()
        self.began = time.time()
        self.thread = Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            while not self.over.wait(0.2):
                row: Any = connection.execute("SELECT coalesce(max(size), 0) FROM audit_span_checkpoint").fetchone()
                if not self.heads or self.heads[-1][0] != row[0]:
                    self.heads.append((row[0], time.time()))
                workers = psutil.Process(self.web).children(recursive=True)
                self.memory = max([self.memory, *(worker.memory_info().rss for worker in workers)])

    def lags(self) -> list[float]:
        """Seconds from receiving a batch until a signed head that covers it was seen."""
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            rows = connection.execute(
                "SELECT first_index + count, extract(epoch FROM received_at) FROM audit_span_batch"
                " WHERE system = %s AND received_at > to_timestamp(%s) AND first_index IS NOT NULL",
                [SYSTEM, self.began],
            ).fetchall()
        sizes = [size for size, _ in self.heads]
        covering = ((bisect_left(sizes, end), float(at)) for end, at in rows)
        return [self.heads[index][1] - at for index, at in covering if index < len(sizes)]

    def stop(self) -> None:
        self.over.set()
        self.thread.join()
