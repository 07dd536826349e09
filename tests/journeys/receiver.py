"""A webhook receiver on this machine, which keeps what it was sent and checks the signatures as a customer would."""

import json
import time
from datetime import UTC, datetime

from standardwebhooks import Webhook

from tests.journeys.local import Local

FRESH = 300  # seconds, as the specification of Standard Webhooks has it


class Receiver(Local):
    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.late: list[float] = []  # seconds from the message's time until it came, where a customer would refuse it
        super().__init__(self.hear, "hook")

    def hear(self, headers: dict[str, str], body: bytes) -> int:
        if abs(age := time.time() - int(headers.get("webhook-timestamp", 0))) > FRESH:
            self.late.append(age)
        self.received.append((headers, body))
        return 204

    def topics(self) -> list[str]:
        return [str(json.loads(body).get("type")) for _, body in self.received]

    def all_signed(self, secret: str) -> bool:
        """As `Webhook.verify`, with the age that a message had when it came: a journey may take longer than a customer
        allows."""
        hook = Webhook(secret)
        return (
            bool(self.received)
            and not self.late
            and all(
                hook.sign(
                    headers["webhook-id"], datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC), body.decode()
                )
                in headers["webhook-signature"].split()
                for headers, body in self.received
            )
        )
