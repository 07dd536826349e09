"""What a verification says, step by step."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    name: str
    ok: bool
    detail: str
    index: int | None = None  # the first entry that is wrong
