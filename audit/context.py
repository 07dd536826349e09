"""What every page says where the record takes no entries: then nothing can be decided, and nobody should wonder why."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from audit.models import Head
from web.prepared import Prepared


def ledger(request: HttpRequest) -> dict[str, Any]:
    return {"read_only": SimpleLazyObject(_read_only)}


def _read_only() -> str:
    """Asked only where a template asks. A database without the table is one that is just being set up."""
    reason = next(iter(_reasons()), "")
    return f"The ledger takes no entries, so nothing can be decided: {reason}." if reason else ""


_reasons = Prepared(lambda: Head.objects.filter(log="decisions").values_list("read_only", flat=True))
