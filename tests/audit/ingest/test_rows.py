import pytest
from django.db import connection

from audit.ingest.rows import COLUMNS, LEAF_FIELDS, RECORD_FIELDS, column_types
from audit.models import Span


@pytest.mark.django_db
def test_the_columns_of_the_copy_are_those_of_the_table():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.attname, t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
            " WHERE a.attrelid = 'audit_span'::regclass AND a.attnum > 0 ORDER BY a.attnum"
        )
        table = dict(cursor.fetchall())
    written = dict(zip(COLUMNS, column_types(), strict=True))
    assert {name: kind.replace("text[]", "_text") for name, kind in written.items()} == table


def test_the_model_reads_every_column():
    assert {field.column for field in Span._meta.concrete_fields} == set(COLUMNS)


def test_every_column_is_in_the_leaf_or_is_the_records_own():
    """A column that is in neither could be changed unnoticed."""
    assert set(COLUMNS) == set(LEAF_FIELDS) | set(RECORD_FIELDS)
    assert set(RECORD_FIELDS) == {"leaf_hash", "batch_id", "position", "received_at"}
