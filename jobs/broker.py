"""Telling a worker that there is work. Never slow and never an error: the rows are the truth, the tick finds them."""

import logging
import time
from typing import Any

from celery import current_app

log = logging.getLogger(__name__)

# After a failed try nobody tries for a while: with the broker away, every act would wait for it again.
PAUSE = 10.0
_away_until = 0.0


def tell(task: str, *, expires: float, **kwargs: Any) -> bool:
    """Sends the message now or not at all. Says whether the broker took it."""
    global _away_until
    if time.monotonic() < _away_until:
        return False
    try:
        current_app.send_task(task, kwargs=kwargs, retry=False, ignore_result=True, expires=expires)
    except Exception as error:  # whatever the transport raises
        _away_until = time.monotonic() + PAUSE
        log.warning("Broker away, work waits for the next tick: %s", error)
        return False
    return True


def forget_absence() -> None:
    """For tests that start a broker of their own."""
    global _away_until
    _away_until = 0.0
