"""The data policy of a system's traffic: what may be kept of it, and what happens to what may not."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import User
from audit.contract import CHOICES, IngestProfile, ProfileError
from audit.profiles import Numbered, profile_of, set_profile
from systems import rules
from systems.errors import InvalidInput, refuse
from systems.models import System
from systems.registry import person

LISTS = ("denied_fields", "count_scopes")
FIELDS = (*CHOICES, *LISTS)
_STRICTEST_FIRST = {
    "payload_mode": ("none", "redacted", "raw"),
    "pii_policy": ("refuse", "redact"),
    "denied_policy": ("refuse", "drop"),
    "prompt_policy": ("require", "refuse", "flag"),
}


@transaction.atomic
def set_data_policy(*, system: System, wanted: Mapping[str, Any], by: User, now: datetime) -> Numbered:
    """What `wanted` leaves out stays. Keeping more than before takes privacy or the platform owner."""
    system = System.objects.select_for_update().get(pk=system.pk)
    unknown = set(wanted) - set(FIELDS)
    if unknown:
        raise InvalidInput(f"A data policy says {', '.join(FIELDS)}, not {', '.join(sorted(unknown))}.")
    before = profile_of(system.slug).profile
    lists = {name: [text.strip() for text in wanted[name] if text.strip()] for name in LISTS if name in wanted}
    profile = replace(before, **{**wanted, **lists})
    try:
        profile.check()
    except ProfileError as error:
        raise InvalidInput(str(error)) from None
    looser = loosened(before, profile)
    refuse(rules.set_data_policy(person(by, system=system, now=now), looser=looser))
    if profile.body() == before.body():
        raise InvalidInput("This is what the data policy says already.")
    set_profile(system=system.slug, profile=profile, by=by, now=now)
    return profile_of(system.slug)


def loosened(before: IngestProfile, after: IngestProfile) -> tuple[str, ...]:
    """Which parts keep more, or let through more, than before."""
    looser = [
        name
        for name, order in _STRICTEST_FIRST.items()
        if order.index(getattr(after, name)) > order.index(getattr(before, name))
    ]
    if not set(before.denied_fields) <= set(after.denied_fields):
        looser.append("denied_fields")
    return tuple(looser)
