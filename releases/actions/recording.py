"""A record that a person fills in, as evidence."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from accounts.models import User
from releases import records
from releases.actions.checklist import attach_evidence
from releases.errors import InvalidInput
from releases.models import Evidence, Release
from releases.standard.published import definition_of


def attach_record(
    *,
    release_id: UUID,
    key: str,
    record: str,
    values: Mapping[str, str],
    by: User,
    now: datetime,
    note: str = "",
    via: str = "",
    revision: int | None = None,
    replace: bool = False,
) -> Evidence:
    """One of the kinds that the item's standard lists, with every field that it asks."""
    release = Release.objects.select_related("standard").get(pk=release_id)
    item = next((one for one in definition_of(release.standard).items if one.key == key), None)
    accepted = item.evidence if item else ()
    if f"record:{record}" not in accepted:
        raise InvalidInput(f"This item accepts {' or '.join(accepted) or 'nothing'}, not record:{record}.")
    kind = records.kind_of(record)
    try:
        content = records.record(kind, values, release=release.label, item=key)
    except records.RecordError as error:
        raise InvalidInput(error.reasons[0], reasons=list(error.reasons)) from error
    return attach_evidence(
        release_id=release_id,
        key=key,
        kind=Evidence.Kind.RECORD,
        title=kind.title,
        content=content,
        media_type="application/json",
        by=by,
        now=now,
        note=note,
        via=via,
        revision=revision,
        replace=replace,
    )
