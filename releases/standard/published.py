"""Published versions of the standard: the shipped files, stored once by digest and never changed."""

from datetime import datetime

from django.db import transaction

from audit import canonical, ledger
from audit.actors import SYSTEM
from releases.errors import InvalidInput
from releases.models import StandardVersion
from releases.models.standard import SHIPPED_LINE
from releases.standard.load import StandardDef, parse, shipped

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


def definition_of(version: StandardVersion) -> StandardDef:
    """The parsed content. Kept by digest, since a published version never changes."""
    found = _DEFINITIONS.get(version.sha256)
    if found is None:
        found = _DEFINITIONS[version.sha256] = parse(version.body)
    return found
