"""Many rows at once by binary COPY: some fifty times less work than INSERT, for tables that grow with traffic."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Model

# What PostgreSQL's catalogue calls the column types that Django writes.
_NAMES = {"varchar": "text", "timestamp": "timestamptz", "bigint": "int8", "integer": "int4", "boolean": "bool"}


def copy_rows(
    cursor: CursorWrapper, table: str, columns: Sequence[str], types: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Table and columns are names of ours, never of a caller's making."""
    with (
        connection.wrap_database_errors,
        cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)") as into,
    ):
        into.set_types(types)
        for row in rows:
            into.write_row(row)


def copy_into(model: type[Model], rows: Sequence[Any]) -> None:
    """Inserts rows, each an object with the model's fields, all of them. Of a model without JSON columns."""
    if not rows:
        return
    fields = model._meta.concrete_fields
    types = []
    for field in fields:
        kind = (field.db_type(connection) or "").split("(")[0].split(" ")[0]
        types.append(_NAMES.get(kind, kind))
    with connection.cursor() as cursor:
        copy_rows(
            cursor,
            model._meta.db_table,
            [str(field.column) for field in fields],
            types,
            map(attrgetter(*[field.attname for field in fields]), rows),
        )
