"""Moving everything encrypted to the newest key, so that an old one can be taken out of the settings.

Secrets are found by looking: every text and JSON column of every table that Django manages, by their prefix. So no
package has to register where it keeps one, and none is forgotten.
"""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models, transaction

from audit import payloads, secrets, vault
from audit.secrets import PREFIX

_TEXT = (models.CharField, models.TextField, models.JSONField, ArrayField)


def rotate() -> dict[str, int]:
    """How many of each were moved. May be run again at any time, beside everything else."""
    moved = {"secrets": 0, "blobs": vault.rewrap(), "payload keys": payloads.rewrap()}
    for model, field in _columns():
        moved["secrets"] += _rotate_column(model, field)
    return moved


def _columns() -> Iterator[tuple[type[models.Model], Any]]:
    for model in apps.get_models():
        if not model._meta.managed or model._meta.proxy:
            continue
        for field in model._meta.concrete_fields:
            if isinstance(field, _TEXT) and not field.primary_key:
                yield model, field


def _rotate_column(model: type[models.Model], field: Any) -> int:
    """Row by row under its lock: a value that somebody changes meanwhile is not overwritten with the old one."""
    table, column = (connection.ops.quote_name(name) for name in (model._meta.db_table, field.column))
    with connection.cursor() as cursor:
        key = connection.ops.quote_name(str(model._meta.pk.column))
        cursor.execute(f"SELECT {key} FROM {table} WHERE {column}::text LIKE %s", [f"%{PREFIX}%"])  # noqa: S608
        found = [row[0] for row in cursor.fetchall()]
    count = 0
    for pk in found:
        with transaction.atomic():
            rows = model._base_manager.select_for_update().filter(pk=pk)
            old = rows.values_list(field.attname, flat=True).first()
            new = _moved(old)
            if new != old:
                rows.update(**{field.attname: new})
                count += 1
    return count


def _moved(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(PREFIX):
        return value if secrets.is_current(value) else secrets.rotate(value)
    if isinstance(value, dict):
        return {key: _moved(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_moved(item) for item in value]
    return value
