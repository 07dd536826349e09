from pathlib import Path

from django.db import migrations

SQL = (Path(__file__).parent.parent / "sql" / "guards.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Triggers for what the database itself refuses. The SQL says why, beside each."""

    dependencies = [("operations", "0001_start"), ("systems", "0002_guards")]

    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
