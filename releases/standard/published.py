"""Published versions of the standard: the shipped files, stored once by digest and never changed."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from audit import canonical, ledger
from audit.actors import SYSTEM
from releases.errors import InvalidInput
from releases.models import StandardVersion
from releases.models.standard import SHIPPED_LINE
from releases.standard.load import StandardDef, parse, shipped
from systems.models import System

_DEFINITIONS: dict[str, StandardDef] = {}


def publish_shipped(*, now: datetime) -> StandardVersion:
    """Stores the shipped standard as published. Called after each migration; stores it once."""
    number, body = shipped()
    sha256 = canonical.digest(body)
    existing = StandardVersion.objects.filter(number=number).first()
    if existing is not None:
        return existing
    definition = parse(body)
    with transaction.atomic():
        StandardVersion.objects.filter(line=SHIPPED_LINE, superseded_at=None).update(superseded_at=now)
        version = StandardVersion.objects.create(
            number=number, title=definition.title, body=body, sha256=sha256, published_at=now
        )
        ledger.append(
            kind="standard.published",
            by=SYSTEM,
            subject=f"standard:{number}",
            now=now,
            payload={"number": number, "sha256": sha256, "items": len(definition.items)},
        )
    return version


def current_standard(*, number: str = "") -> StandardVersion:
    """The version of this number, or the one in force."""
    chosen = {"number": number} if number else {"line": SHIPPED_LINE, "superseded_at": None}
    found = StandardVersion.objects.filter(**chosen).first()
    if found is None:
        raise InvalidInput(f"There is no published standard {number}.".replace(" .", "."))
    return found


def standard_for(system: System, *, number: str = "") -> StandardVersion:
    """The version that a new release of this system is measured against: the one named or, where none is, the one in
    force of the line that its latest release followed."""
    if number:
        found = current_standard(number=number)
        if found.system not in ("", system.slug):
            raise InvalidInput(f"The standard {number} belongs to another system.")
        if found.superseded_at is not None:
            raise InvalidInput(f"The standard {number} is superseded. Take the version in force.")
        return found
    line = system.releases.order_by("-opened_at").values_list("standard__line", flat=True).first()
    followed = StandardVersion.objects.filter(line=line, superseded_at=None).first() if line else None
    return followed or current_standard()


def standards_for(slugs: Collection[str] | None) -> QuerySet[StandardVersion]:
    """Published versions that people of these systems may read; None: of all."""
    versions = StandardVersion.objects.order_by("line", "-published_at")
    return versions if slugs is None else versions.filter(system__in=["", *slugs])


def standards_in_force(system: System) -> QuerySet[StandardVersion]:
    """What a new release of this system may be measured against."""
    return standards_for([system.slug]).filter(superseded_at=None)


def newer_standard(version: StandardVersion) -> StandardVersion | None:
    """The version of its line that is in force now, where it is another one."""
    if version.superseded_at is None:
        return None
    return StandardVersion.objects.filter(line=version.line, superseded_at=None).first()


def definition_of(version: StandardVersion) -> StandardDef:
    """The parsed content. Kept by digest, since a published version never changes."""
    found = _DEFINITIONS.get(version.sha256)
    if found is None:
        found = _DEFINITIONS[version.sha256] = parse(version.body)
    return found
