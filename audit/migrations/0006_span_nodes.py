from pathlib import Path

from django.db import migrations, models

SQL = (Path(__file__).parent / "0006_span_nodes.sql").read_text()


class Migration(migrations.Migration):
    dependencies = [("audit", "0005_policy")]

    operations = [
        migrations.RunSQL(SQL),
        migrations.CreateModel(
            name="SpanNode",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "level", "index", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("level", models.PositiveSmallIntegerField()),
                ("index", models.BigIntegerField()),
                ("hash", models.BinaryField()),
            ],
            options={"db_table": "audit_span_node", "managed": False},
        ),
    ]
