"""A team's staging server on this machine: it takes what fits its schema, and refuses the rest."""

import json
from typing import Any

from audit.contract import validator
from tests.journeys.local import Local


class Staging(Local):
    def __init__(self, schema: dict[str, Any]) -> None:
        self.seen: list[tuple[str | None, bytes]] = []
        self.fits = validator(schema).is_valid
        super().__init__(self.hear, "ask")

    def hear(self, headers: dict[str, str], body: bytes) -> int:
        self.seen.append((headers.get("authorization"), body))
        try:
            return 200 if self.fits(json.loads(body)) else 422
        except ValueError:
            return 422
