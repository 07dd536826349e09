"""The ingest profile of a system: what its traffic is checked against. `systems` writes it; ingest reads the newest."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Max

from audit import canonical, ledger
from audit.actors import Actor
from audit.contract import IngestProfile, ProfileError
from audit.models import Profile
from web.problems import Invalid

__all__ = ["IngestProfile", "Numbered", "profile_of", "set_profile"]


@dataclass(frozen=True, slots=True)
class Numbered:
    number: int  # 0: the system has none, the defaults apply
    profile: IngestProfile


def set_profile(*, system: str, profile: IngestProfile, by: Actor, now: datetime) -> Profile:
    """Spans received from now on are checked against this. The old profiles stay: batches name theirs by number."""
    try:
        profile.check()
    except ProfileError as error:
        raise Invalid(str(error)) from None
    body = profile.body()
    with transaction.atomic():
        last = Profile.objects.filter(system=system).aggregate(last=Max("number"))["last"] or 0
        row = Profile.objects.create(
            system=system, number=last + 1, body=body, set_by=by.actor_id, set_at=now
        )  # two at once: the unique number refuses the second
        ledger.append(
            kind="ingest-profile.set",
            by=by,
            subject=f"system:{system}",
            system=system,
            now=now,
            payload={"number": row.number, "digest": canonical.digest(body)},
        )
    return row


def profile_of(system: str) -> Numbered:
    row = Profile.objects.filter(system=system).order_by("-number").first()
    return Numbered(row.number, IngestProfile.from_body(row.body)) if row else Numbered(0, IngestProfile())
