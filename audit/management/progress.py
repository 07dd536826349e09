"""How far a command is: a bar on a terminal, a line for every tenth elsewhere, so that logs stay readable."""

import time
from typing import Any

_WIDTH = 24


class Progress:
    def __init__(self, out: Any, what: str, *, unit: str = "") -> None:
        self.out, self.what, self.unit = out, what, f" {unit}" if unit else ""
        self.bar = out.isatty()
        self.began = time.monotonic()
        self.shown = -1

    def __call__(self, done: int, whole: int) -> None:
        share = min(1.0, done / whole) if whole else 1.0
        step = int(share * (1000 if self.bar else 10))
        if step == self.shown:
            return
        self.shown = step
        left = (time.monotonic() - self.began) * (1 - share) / share if share else 0.0
        told = f"{self.what}: {done:,} of {whole:,}{self.unit}, {share:.0%}"
        if not self.bar:
            self.out.write(f"{told}\n")
            return
        filled = int(share * _WIDTH)
        self.out.write(f"\r[{'#' * filled}{'.' * (_WIDTH - filled)}] {told}, {left:.0f} s left \x1b[K")
        if share == 1.0:
            self.out.write("\n")
        self.out.flush()
