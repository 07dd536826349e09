"""What `manage.py verify --spans` takes for the kept trail: `python -m bench.trail verify`, after `fill`."""

import resource
import time

from audit.request_verification import verify_requests, verify_spans


def measure() -> None:
    began = time.monotonic()
    for step in verify_requests():
        print(f"{step.name}: {step.detail}", flush=True)
    heads = time.monotonic() - began
    step = verify_spans()
    spans = time.monotonic() - began - heads
    count = int(step.detail.split()[0].replace(",", "")) if step.ok else 0
    print(f"{step.name}: {step.detail}")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"all leaves and heads in {heads:.0f} s; each stored span against its leaf in {spans:.0f} s, "
        f"{count / spans:,.0f} spans/s; {memory:.0f} MB at most",
        flush=True,
    )
