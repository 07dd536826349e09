"""A ledger of a million entries, and how long it takes to be sure of it."""

import hashlib
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median, quantiles

from django.db import connection, transaction
from django.utils import timezone

from audit import proofs, sealing
from audit.models import Checkpoint
from bench.trail.server import CHECKOUT

_FILL = """
    SELECT count((audit_append('bench.written', 'user:' || (n %% 97), '', 'bench:' || n, 'bench', now(),
                 convert_to(format('{"note":"%%s","number":%%s}', repeat('x', 200), n), 'UTF8'),
                 sha256(convert_to(n::text, 'UTF8')))).index)
    FROM generate_series(%s, %s) n
"""
_BYTES = """
    SELECT sum(length(e.leaf) + length(p.payload) + 32), count(*)
    FROM audit_entry e JOIN audit_payload p USING (index)
"""


def measure(entries: int) -> None:
    step = 20_000
    began = time.monotonic()
    for first in range(0, entries, step):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(_FILL, [first, min(first + step, entries) - 1])
        if first in (0, entries // 2 // step * step):
            sealing.seal(now=timezone.now())
    print(f"{entries:,} entries appended in {time.monotonic() - began:.0f} s")
    print(f"sealing the rest: {_seconds(lambda: sealing.seal(now=timezone.now())):.1f} s")
    raw = _raw()
    began = time.monotonic()
    done = subprocess.run([sys.executable, "manage.py", "verify"], cwd=CHECKOUT, capture_output=True, text=True)
    took = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    print(
        f"manage.py verify, in full: {took:.1f} s, {peak:.0f} MB (goal 10 s, 500 MB), "
        f"{took / raw:.1f} times raw SHA-256"
    )
    _proofs(entries)


def _raw() -> float:
    """SHA-256 of the same bytes, from memory, in pieces of the same size: what no verification can be faster than."""
    with connection.cursor() as cursor:
        cursor.execute(_BYTES)
        total, count = cursor.fetchone()
    piece = b"x" * (int(total) // int(count))

    def hash_all() -> None:
        for _ in range(int(count)):
            hashlib.sha256(piece).digest()

    took = _seconds(hash_all)
    print(f"raw SHA-256 of the same {int(total) / 1e6:.0f} MB: {took:.2f} s")
    return took


def _proofs(entries: int) -> None:
    heads = list(Checkpoint.objects.order_by("size"))
    last, chance = heads[-1], random.Random(13)
    indexes = [chance.randrange(entries) for _ in range(1000)]
    _say("inclusion proof, made and verified", [_seconds(lambda at=at: proofs.inclusion(at, last)) for at in indexes])
    pairs = [sorted(chance.sample(heads, 2), key=lambda head: head.size) for _ in range(200)]
    _say("consistency proof, made and verified", [_seconds(lambda p=p: proofs.consistency(*p)) for p in pairs])


def _say(what: str, seconds: list[float]) -> None:
    p95 = quantiles(seconds, n=20)[18]
    print(f"{what}: p50 {median(seconds) * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms (goal 5 ms)")


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
