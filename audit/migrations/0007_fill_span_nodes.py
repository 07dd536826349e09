"""The upper levels of the tree over what was signed before: ten million spans in a second, a billion in a minute.

Outside a transaction, block by block: interrupted, it goes on where it ended, and so does the next signing. It runs the
product's own code, since what that makes is fixed by RFC 6962 for good.
"""

from typing import Any

from django.db import migrations

from audit import spantree


def fill(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(index) + 1, 0) FROM public.audit_span_tile")
        (tiles,) = cursor.fetchone()
    spantree.keep_levels(tiles, report=_report)


def _report(done: int, whole: int) -> None:
    if whole > spantree.BLOCK:
        print(f"\n    {done:,} of {whole:,} hashes of the request log's tree", end="", flush=True)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("audit", "0006_span_nodes")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
