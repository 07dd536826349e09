"""What every page says where the record takes no entries: then nothing can be decided, and nobody should wonder why."""

import time
from functools import lru_cache
from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from audit.models import Head
from web.prepared import Prepared


def ledger(request: HttpRequest) -> dict[str, Any]:
    return {"read_only": SimpleLazyObject(lambda: _read_only(int(time.time())))}


@lru_cache(maxsize=1)
def _read_only(second: int) -> str:
    """Asked only where a template asks, and once a second in each process."""
    reason = next(iter(_reasons()), "")
    return f"The ledger takes no entries, so nothing can be decided: {reason}." if reason else ""


_reasons = Prepared(lambda: Head.objects.filter(log="decisions").values_list("read_only", flat=True))
forget = _read_only.cache_clear
