"""What auditors look for and rarely is: small indexes over it, and one over the documents and models that were used.

Built beside the traffic (CONCURRENTLY), so outside a transaction. Interrupted, PostgreSQL leaves an invalid index behind:
drop it, and migrate again.
"""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("audit", "0007_fill_span_nodes")]

    operations = [
        AddIndexConcurrently(
            model_name="request",
            index=models.Index(
                fields=["system", "-started_at", "-id"],
                name="audit_request_schema",
                condition=Q(output_ok=False) | Q(input_ok=False),
            ),
        ),
        AddIndexConcurrently(
            model_name="request",
            index=models.Index(
                fields=["system", "-started_at", "-id"],
                name="audit_request_unusual",
                condition=~Q(fallback="")
                | Q(handoff=True)
                | Q(timeouts__gt=0)
                | Q(retries__gt=0)
                | Q(complete=False),
            ),
        ),
        AddIndexConcurrently(
            model_name="request",
            index=GinIndex(fields=["source_ids", "models_seen"], name="audit_request_used"),
        ),
        RemoveIndexConcurrently(model_name="request", name="audit_request_invalid"),
    ]
