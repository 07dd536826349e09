"""Searches that people keep under a name: their own, and those that others share."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from audit import ledger
from audit.actors import Actor
from audit.models import SavedView
from web.problems import Invalid, NotFound

MAX_NAME = 60


def views_of(reader: Actor) -> QuerySet[SavedView]:
    return SavedView.objects.filter(Q(owner=reader.actor_id) | Q(shared=True))


def save_view(*, name: str, query: str, shared: bool, by: Actor, now: datetime) -> SavedView:
    """Keeps a search; one's own view of the same name becomes this one."""
    name, query = name.strip(), query.strip()
    if not name or len(name) > MAX_NAME:
        raise Invalid(f"A view has a name of at most {MAX_NAME} characters.")
    if not query or len(query) > 500:
        raise Invalid("A view keeps a search: type one first, of at most 500 characters.")
    with transaction.atomic():
        view, _ = SavedView.objects.update_or_create(
            owner=by.actor_id, name=name, defaults={"query": query, "shared": shared, "created_at": now}
        )
        _record("trail-view.saved", view, by, now)
    return view


def remove_view(*, view_id: UUID, by: Actor, now: datetime) -> None:
    """Only one's own."""
    with transaction.atomic():
        view = SavedView.objects.filter(pk=view_id, owner=by.actor_id).first()
        if view is None:
            raise NotFound("There is no such view of yours.")
        _record("trail-view.removed", view, by, now)
        view.delete()


def _record(kind: str, view: SavedView, by: Actor, now: datetime) -> None:
    payload = {"name": view.name, "query": view.query, "shared": view.shared}
    ledger.append(kind=kind, by=by, subject=f"trail-view:{view.pk}", now=now, payload=payload)
