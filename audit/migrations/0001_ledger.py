from pathlib import Path

from django.db import migrations, models

SQL = (Path(__file__).parent / "0001_ledger.sql").read_text()
# Encrypted bytes do not compress: keep them as they are, outside the row.
STORAGE = "ALTER TABLE audit_blob ALTER COLUMN ciphertext SET STORAGE EXTERNAL"


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        migrations.RunSQL(
            SQL,
            state_operations=[
                migrations.CreateModel(
                    name="Head",
                    fields=[
                        ("log", models.TextField(primary_key=True, serialize=False)),
                        ("origin", models.TextField()),
                        ("size", models.BigIntegerField()),
                        ("read_only", models.TextField()),
                    ],
                    options={"db_table": "audit_head", "managed": False},
                ),
                migrations.CreateModel(
                    name="Entry",
                    fields=[
                        ("index", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("kind", models.TextField()),
                        ("actor_id", models.TextField()),
                        ("via", models.TextField()),
                        ("subject", models.TextField()),
                        ("system", models.TextField()),
                        ("at", models.DateTimeField()),
                        ("recorded_at", models.DateTimeField()),
                        ("commitment", models.BinaryField()),
                        ("leaf", models.TextField()),
                        ("leaf_hash", models.BinaryField()),
                    ],
                    options={"db_table": "audit_entry", "managed": False},
                ),
                migrations.CreateModel(
                    name="Payload",
                    fields=[
                        ("index", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("salt", models.BinaryField()),
                        ("payload", models.BinaryField()),
                    ],
                    options={"db_table": "audit_payload", "managed": False},
                ),
                migrations.CreateModel(
                    name="Checkpoint",
                    fields=[
                        ("size", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("root", models.BinaryField()),
                        ("note", models.TextField()),
                        ("keys", models.TextField()),
                        ("peaks", models.BinaryField()),
                        ("signed_at", models.DateTimeField()),
                    ],
                    options={"db_table": "audit_checkpoint", "managed": False},
                ),
            ],
        ),
        migrations.CreateModel(
            name="Blob",
            fields=[
                ("digest", models.CharField(max_length=71, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=40)),
                ("media_type", models.CharField(max_length=127)),
                ("system", models.CharField(blank=True, max_length=60)),
                ("size", models.BigIntegerField()),
                ("created_at", models.DateTimeField()),
                ("kek_id", models.CharField(max_length=16)),
                ("wrapped_key", models.BinaryField(null=True)),
                ("ciphertext", models.BinaryField(null=True)),
                ("erased_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["kek_id"], name="audit_blob_kek")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("ciphertext__isnull", False), ("erased_at", None), ("wrapped_key__isnull", False)
                            ),
                            models.Q(("ciphertext", None), ("erased_at__isnull", False), ("wrapped_key", None)),
                            _connector="OR",
                        ),
                        name="audit_blob_there_or_erased",
                    )
                ],
            },
        ),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
    ]
