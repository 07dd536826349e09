"""Who acts, as the record names them: an id, never a name or an address. Names are looked up when a page is shown."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Q


class Actor(Protocol):
    """Whoever can be named as `by`: a user, an API token (which acts as its owner), or the product itself."""

    @property
    def actor_id(self) -> str: ...

    @property
    def actor_name(self) -> str: ...


@dataclass(frozen=True)
class Product:
    actor_id: str = "product"
    actor_name: str = "Readiness"


SYSTEM = Product()


def names(actor_ids: Iterable[str]) -> dict[str, str]:
    """The present names behind actor ids, for showing. A person who is gone stays an id."""
    found = {SYSTEM.actor_id: SYSTEM.actor_name}
    keys = {actor.removeprefix("user:"): actor for actor in set(actor_ids) if actor.startswith("user:")}
    try:
        people = list(get_user_model()._default_manager.filter(pk__in=keys))
    except (ValidationError, ValueError):  # an id that was never a user's
        people = []
    return found | {keys[str(person.pk)]: str(person) for person in people}


def find(text: str) -> list[str]:
    """Actor ids that a word may mean: an id as it is, or people by name or address."""
    if ":" in text or text == SYSTEM.actor_id:
        return [text]
    people = get_user_model()._default_manager.filter(Q(name__icontains=text) | Q(email__istartswith=text))
    return [f"user:{pk}" for pk in people.values_list("pk", flat=True)[:50]]
