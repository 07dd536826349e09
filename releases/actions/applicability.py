"""What does not apply to a release: proposed by one person, confirmed by another, asked again of the next release."""

from datetime import datetime
from uuid import UUID

from accounts.models import User
from releases import rules
from releases.actions.items import item_of, record, save
from releases.errors import InvalidInput, refuse
from releases.locking import changing
from releases.models import Item
from releases.people import item_view, person, somebody_else_holds


def propose_not_applicable(
    *, release_id: UUID, key: str, reason: str, by: User, now: datetime, revision: int | None = None
) -> Item:
    with changing(release_id, by=by, now=now, why=f"“{key}” was proposed as not applicable.") as release:
        item, definition = item_of(release, key, revision)
        refuse(rules.propose_refusals(person(by, release, now=now), item_view(item, definition, release)))
        if not reason.strip():
            raise InvalidInput("Say why it does not apply to this release.")
        item.not_applicable_reason, item.not_applicable_by, item.not_applicable_confirmed_by = reason.strip(), by, None
        save(item, "not_applicable_reason", "not_applicable_by", "not_applicable_confirmed_by")
        record("item.not-applicable-proposed", item, release, by=by, now=now, reason=reason.strip())
        return item


def confirm_not_applicable(*, release_id: UUID, key: str, by: User, now: datetime, revision: int | None = None) -> Item:
    with changing(release_id, by=by, now=now, why=f"“{key}” was set not applicable.") as release:
        item, definition = item_of(release, key, revision)
        others = somebody_else_holds(definition, release, besides=by, now=now)
        view = item_view(item, definition, release)
        refuse(rules.confirm_refusals(person(by, release, now=now), view, somebody_else_holds=others))
        item.not_applicable_confirmed_by = by
        save(item, "not_applicable_confirmed_by")
        record("item.not-applicable", item, release, by=by, now=now, reason=item.not_applicable_reason)
        return item


def withdraw_not_applicable(
    *, release_id: UUID, key: str, by: User, now: datetime, revision: int | None = None
) -> Item:
    with changing(release_id, by=by, now=now, why=f"“{key}” applies again.") as release:
        item, definition = item_of(release, key, revision)
        refuse(rules.assign_refusals(person(by, release, now=now), item_view(item, definition, release)))
        item.not_applicable_reason, item.not_applicable_by, item.not_applicable_confirmed_by = "", None, None
        save(item, "not_applicable_reason", "not_applicable_by", "not_applicable_confirmed_by")
        record("item.applicable", item, release, by=by, now=now)
        return item
