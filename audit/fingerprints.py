"""What approved releases look like in telemetry. `releases` writes it here; the trail compares without looking up."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from audit.approval import KEYS, ONLY_WHERE_REPORTED, Approved
from audit.models import Fingerprint

# Requests that began before a release was taken back are still on their way.
GRACE = timedelta(minutes=30)


def approve(
    *,
    system: str,
    release_label: str,
    release_id: str,
    fingerprint: Mapping[str, Sequence[str]],
    share: Decimal | None,
    now: datetime,
) -> Fingerprint:
    """From now on requests like this are approved. Keys: those of `approval.KEYS`; share None: all traffic."""
    unknown = set(fingerprint) - set(KEYS)
    if unknown or not any(values for key, values in fingerprint.items() if key not in ONLY_WHERE_REPORTED):
        raise ValueError(f"a fingerprint has values for {', '.join(KEYS)}, not {sorted(fingerprint)}")
    # An approval that is running out (a canary that was promoted, a release restored) is followed by the new one.
    withdraw(release_id=release_id, now=now)
    return Fingerprint.objects.create(
        system=system,
        release_label=release_label,
        release_id=release_id,
        fingerprint={key: sorted(set(values)) for key, values in fingerprint.items()},
        share=Decimal(1) if share is None else share,
        from_at=now,
    )


def withdraw(*, release_id: str, now: datetime) -> int:
    """The release serves no more; its traffic counts as approved for another half hour. Returns how many rows ended."""
    return Fingerprint.objects.filter(release_id=release_id, until_at=None).update(until_at=now + GRACE)


def approvals_of(system: str) -> list[Approved]:
    """Every approval a system ever had: a late span is judged by what was approved when it started."""
    return [
        Approved(row.release_id, row.release_label, row.fingerprint, row.from_at, row.until_at)
        for row in Fingerprint.objects.filter(system=system).order_by("-from_at")
    ]
