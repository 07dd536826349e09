"""Queries that are written and planned once: for the few that every page, or every question of a pipeline, asks.

Writing the SQL of a query takes Django longer than PostgreSQL needs to answer it, and planning it takes PostgreSQL
longer than reading the rows; but for the values, both come out the same each time. What is asked, and how a row is
read, stays a queryset, with the rules that it is made of.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from inspect import signature
from typing import Any

from django.db import connections
from django.db.models import Expression, QuerySet
from django.db.models.sql.compiler import SQLCompiler
from psycopg.pq import Format
from psycopg.sql import Literal


class _Given(Expression):
    """Stands in the SQL for a value that each call gives."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)


class Prepared[Row]:
    """`Prepared(lambda now: Freeze.objects.filter(imposed_at__lte=now))`, called with `now=...`, gives the rows.

    The lambda runs once, with stand-ins for the values: it may put them into a filter, and do nothing else with them.
    A value is what the column holds (an id, never a model instance). None is refused, since SQL compares it otherwise.
    `binary`: the answer comes as numbers instead of text, for long arrays. Not for JSON columns: Django reads text.
    """

    def __init__(self, queryset: Callable[..., QuerySet[Any, Row]], *, binary: bool = False) -> None:
        self._queryset = queryset
        self._binary = binary
        self._written: tuple[QuerySet[Any, Row], SQLCompiler, str, list[str]] | None = None

    def __call__(self, **values: Any) -> list[Row]:
        if None in values.values():
            raise TypeError(f"A prepared query compares with None: {values}")
        rows, compiler, sql, names = self._written or self._write()
        # Copies, since other threads ask the same at the same time, over their own connections.
        rows, compiler = rows.all(), copy(compiler)
        compiler.connection = connections[rows.db]
        found = [fetched(compiler.connection, sql, [values[name] for name in names], binary=self._binary)]
        compiler.execute_sql = lambda *args, **kwargs: found  # type: ignore[assignment, method-assign]
        rows.query.get_compiler = lambda *args, **kwargs: compiler  # type: ignore[method-assign]
        return list(rows)

    def _write(self) -> tuple[QuerySet[Any, Row], SQLCompiler, str, list[str]]:
        """What the lambda itself compares with is part of the text: PostgreSQL then sees which partial index fits."""
        parameters = signature(self._queryset).parameters
        rows = self._queryset(**{name: _Given(name) for name in parameters})
        connection = connections[rows.db]
        connection.ensure_connection()
        compiler = rows.query.get_compiler(using=rows.db)
        sql, params = compiler.as_sql()
        read = compiler.get_converters([column for column, *_ in compiler.select])
        compiler.get_converters = lambda columns: read
        names = [param.name for param in params if isinstance(param, _Given)]
        if unasked := parameters.keys() - names:
            raise TypeError(f"A prepared query asks with each of its values, and does not with {unasked}")
        fixed = (
            "%s" if isinstance(param, _Given) else Literal(param).as_string(connection.connection).replace("%", "%%")
            for param in params
        )
        self._written = rows, compiler, sql.replace("%%", "%%%%") % tuple(fixed), names
        return self._written


def fetched(
    connection: Any, sql: str, values: Sequence[Any] | Mapping[str, Any], *, binary: bool = False
) -> list[tuple[Any, ...]]:
    """All rows. The values travel beside the text, so PostgreSQL plans a text that it has seen five times no more
    (settings.DATABASES)."""
    with connection.bound_cursor() as cursor:
        cursor.cursor.format = Format.BINARY if binary else Format.TEXT
        cursor.execute(sql, values)
        return cursor.fetchall()
