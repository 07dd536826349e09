"""Evidence that still holds, taken over from the release before: chosen item by item, and looked at again.

Never across a changed dependency: an item that rests on the prompt takes nothing over once the prompt is another one.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from accounts.models import User
from releases import rules
from releases.actions.checklist import keep_carried
from releases.errors import InvalidInput, refuse
from releases.locking import changing
from releases.models import Evidence, Release
from releases.people import item_view, person
from releases.queries import carriable, release_before
from releases.standard.published import definition_of


def carry_forward(*, release_id: UUID, keys: Iterable[str], by: User, now: datetime) -> list[Evidence]:
    """Attaches the earlier release's living evidence of these items to this one's: all of them, or none.

    It keeps its digest and the day it lapses. The item waits for a second person, as with any evidence.
    """
    wanted = sorted(set(keys))
    if not wanted:
        raise InvalidInput("Choose at least one item.")
    with changing(release_id, by=by, now=now, why="Evidence was carried forward.") as release:
        before = release_before(release)
        if before is None:
            raise InvalidInput("There is no earlier release to take evidence over from.")
        found = {offer.key: offer for offer in carriable(release, before, now=now)}
        reasons = [
            f"{key}: {found[key].reason if key in found else 'this release asks no such item of people.'}"
            for key in wanted
            if key not in found or found[key].reason
        ]
        if reasons:
            raise InvalidInput(reasons[0], reasons=reasons)
        made: list[Evidence] = []
        for key in wanted:
            _check(release, key, by=by, now=now)
            made += keep_carried(release, key, found[key].evidence, before=before, by=by, now=now)
        return made


def _check(release: Release, key: str, *, by: User, now: datetime) -> None:
    item = release.items.prefetch_related("evidence").get(key=key)
    view = item_view(item, definition_of(release.standard).item(key), release)
    refuse(rules.attach_refusals(person(by, release, now=now), view))
