"""Keyset paging: a page is found by where the last one ended, so the thousandth costs what the first does."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

from web.problems import BadRequest

MAX_LENGTH = 1_000  # of a cursor: a few values
_NOT_VALID = "This page address is not valid. Start again from the first page."


@dataclass(frozen=True)
class Page[M: Model]:
    items: list[M]
    next_cursor: str | None
    previous_cursor: str | None


def keyset_page[M: Model](
    queryset: QuerySet[M],
    *,
    order: Sequence[str] = ("-created_at", "-pk"),
    cursor: str | None = None,
    size: int = 50,
    within: str = "",
) -> Page[M]:
    """One page of `queryset` in `order` (which must end in a unique field), after or before `cursor`.

    `within`: a field that is the same in all rows, and by which an index begins that goes on with `order`. It is sorted
    by first, which changes nothing but the index that PostgreSQL reads. (The queryset must say the value as a range:
    of an equality PostgreSQL concludes that there is nothing to sort by.)
    """
    backwards, values = _decode(cursor, len(order)) if cursor else (False, None)
    directed = [_flip(field) for field in order] if backwards else list(order)
    if values is not None:
        try:
            queryset = queryset.filter(_beyond(directed, values))
        except (ValidationError, ValueError, TypeError) as error:
            raise BadRequest(_NOT_VALID) from error
    if within:
        directed.insert(0, _flip(within) if backwards else within)
    rows = list(queryset.order_by(*directed)[: size + 1])
    more = len(rows) > size
    rows = rows[:size]
    if backwards:
        rows.reverse()
    has_next = bool(rows) and (backwards or more)
    has_previous = bool(rows) and (more if backwards else values is not None)
    return Page(
        items=rows,
        next_cursor=_encode(False, rows[-1], order) if has_next else None,
        previous_cursor=_encode(True, rows[0], order) if has_previous else None,
    )


def _flip(field: str) -> str:
    return field[1:] if field.startswith("-") else f"-{field}"


def _beyond(order: Sequence[str], values: Sequence[Any]) -> Q:
    """Rows that come after `values` in `order`: (a, b) > (x, y) written out field by field.

    That a is at least x follows from it, and is said as well: the database starts to read its index there, while it
    would go through all rows before the page to find out that none of them fits.
    """
    condition = Q()
    equal = Q()
    for field, value in zip(order, values, strict=True):
        name = field.lstrip("-")
        condition |= equal & Q(**{f"{name}__{'lt' if field.startswith('-') else 'gt'}": value})
        equal &= Q(**{name: value})
    first = order[0].lstrip("-")
    return Q(**{f"{first}__{'lte' if order[0].startswith('-') else 'gte'}": values[0]}) & condition


def _encode(backwards: bool, row: Model, order: Sequence[str]) -> str:
    values = [getattr(row, field.lstrip("-")) for field in order]
    plain = [v.isoformat() if isinstance(v, datetime) else v if isinstance(v, int) else str(v) for v in values]
    return base64.urlsafe_b64encode(json.dumps([backwards, *plain]).encode()).decode().rstrip("=")


def _decode(cursor: str, fields: int) -> tuple[bool, list[Any]]:
    if len(cursor) > MAX_LENGTH:
        raise BadRequest(_NOT_VALID)
    try:
        backwards, *values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if len(values) != fields or not all(isinstance(v, str | int) and "\x00" not in str(v) for v in values):
            raise ValueError
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadRequest(_NOT_VALID) from error
    return bool(backwards), values
