import django.core.validators
import django.db.models.deletion
import web.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="System",
            fields=[
                ("id", models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "slug",
                    models.CharField(
                        max_length=60,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?\\Z",
                                "Use lower-case letters, digits and single dashes inside, up to 60.",
                            )
                        ],
                    ),
                ),
                ("name", models.CharField(max_length=120)),
                ("description", models.TextField(blank=True)),
                (
                    "time_zone",
                    models.CharField(
                        default="UTC", help_text="Its budget day begins at midnight there.", max_length=64
                    ),
                ),
                (
                    "ticket_url_template",
                    models.CharField(
                        blank=True,
                        help_text="Where releases are tracked; {label} stands for the release.",
                        max_length=300,
                    ),
                ),
                ("has_regulated_data", models.BooleanField(default=False)),
                (
                    "is_demo",
                    models.BooleanField(default=False, help_text="Made by the demo project, and removed with it."),
                ),
                ("created_at", models.DateTimeField()),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ("name", "slug"),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("slug__regex", "^[a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?$")),
                        name="systems_system_slug",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RunningPolicy",
            fields=[
                ("id", models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField()),
                ("body", models.JSONField()),
                ("sha256", models.CharField(max_length=71)),
                (
                    "weakens",
                    models.JSONField(
                        default=list, help_text="Thresholds below the shipped ones: they show on every release."
                    ),
                ),
                ("reason", models.TextField()),
                ("shipped", models.BooleanField(default=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Proposed"),
                            ("approved", "In force"),
                            ("superseded", "Superseded"),
                            ("declined", "Declined"),
                        ],
                        default="draft",
                        max_length=12,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("approved_at", models.DateTimeField(null=True)),
                ("superseded_at", models.DateTimeField(null=True)),
                (
                    "approver",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "author",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "platform_approver",
                    models.ForeignKey(
                        help_text="Asked besides product where a bar is weaker than the shipped one.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "system",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="systems.system"
                    ),
                ),
            ],
            options={
                "verbose_name": "running policy",
                "ordering": ("-number",),
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("system", "number"), name="systems_runningpolicy_number"),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "approved")),
                        fields=("system",),
                        name="systems_runningpolicy_one_in_force",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "draft")),
                        fields=("system",),
                        name="systems_runningpolicy_one_proposed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("shipped", True), ("author__isnull", False), _connector="XOR"),
                        name="systems_runningpolicy_shipped_or_written",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("approver", None),
                                models.Q(("approver", models.F("author")), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("platform_approver", None),
                                models.Q(("platform_approver", models.F("author")), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("approver", None),
                                ("platform_approver", None),
                                models.Q(("platform_approver", models.F("approver")), _negated=True),
                                _connector="OR",
                            ),
                        ),
                        name="systems_runningpolicy_second_person",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["approved", "superseded"]), _negated=True),
                            ("shipped", True),
                            models.Q(("approved_at__isnull", False), ("approver__isnull", False)),
                            _connector="OR",
                        ),
                        name="systems_runningpolicy_approved_by_somebody",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["approved", "superseded"]), _negated=True),
                            ("weakens", []),
                            ("platform_approver__isnull", False),
                            _connector="OR",
                        ),
                        name="systems_runningpolicy_weaker_takes_platform",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "superseded"), _negated=True),
                            ("superseded_at__isnull", False),
                            _connector="OR",
                        ),
                        name="systems_runningpolicy_superseded_has_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReleasePolicy",
            fields=[
                ("id", models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField()),
                ("body", models.JSONField()),
                ("sha256", models.CharField(max_length=71)),
                (
                    "weakens",
                    models.JSONField(
                        default=list, help_text="Thresholds below the shipped ones: they show on every release."
                    ),
                ),
                ("reason", models.TextField()),
                ("shipped", models.BooleanField(default=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Proposed"),
                            ("approved", "In force"),
                            ("superseded", "Superseded"),
                            ("declined", "Declined"),
                        ],
                        default="draft",
                        max_length=12,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("approved_at", models.DateTimeField(null=True)),
                ("superseded_at", models.DateTimeField(null=True)),
                (
                    "approver",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "author",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "platform_approver",
                    models.ForeignKey(
                        help_text="Asked besides product where a bar is weaker than the shipped one.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "system",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="systems.system"
                    ),
                ),
            ],
            options={
                "verbose_name": "release policy",
                "ordering": ("-number",),
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("system", "number"), name="systems_releasepolicy_number"),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "approved")),
                        fields=("system",),
                        name="systems_releasepolicy_one_in_force",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "draft")),
                        fields=("system",),
                        name="systems_releasepolicy_one_proposed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("shipped", True), ("author__isnull", False), _connector="XOR"),
                        name="systems_releasepolicy_shipped_or_written",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("approver", None),
                                models.Q(("approver", models.F("author")), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("platform_approver", None),
                                models.Q(("platform_approver", models.F("author")), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("approver", None),
                                ("platform_approver", None),
                                models.Q(("platform_approver", models.F("approver")), _negated=True),
                                _connector="OR",
                            ),
                        ),
                        name="systems_releasepolicy_second_person",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["approved", "superseded"]), _negated=True),
                            ("shipped", True),
                            models.Q(("approved_at__isnull", False), ("approver__isnull", False)),
                            _connector="OR",
                        ),
                        name="systems_releasepolicy_approved_by_somebody",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["approved", "superseded"]), _negated=True),
                            ("weakens", []),
                            ("platform_approver__isnull", False),
                            _connector="OR",
                        ),
                        name="systems_releasepolicy_weaker_takes_platform",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "superseded"), _negated=True),
                            ("superseded_at__isnull", False),
                            _connector="OR",
                        ),
                        name="systems_releasepolicy_superseded_has_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Ownership",
            fields=[
                ("id", models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "area",
                    models.CharField(
                        choices=[
                            ("product", "Product"),
                            ("engineering", "Engineering"),
                            ("operations", "Operations"),
                            ("platform", "Platform owner"),
                            ("privacy", "Privacy"),
                            ("compliance", "Compliance"),
                            ("model_regressions", "Model regressions"),
                            ("budget", "Budget"),
                            ("on_call", "On-call rotation"),
                            ("escalation", "Escalation"),
                        ],
                        max_length=20,
                    ),
                ),
                ("since", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="ownerships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "system",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="ownerships", to="systems.system"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("system", "area"), name="systems_ownership_one_per_area")
                ],
            },
        ),
        migrations.CreateModel(
            name="Component",
            fields=[
                ("id", models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("prompt", "Prompt"),
                            ("input_schema", "Input schema"),
                            ("output_schema", "Output schema"),
                            ("contract", "Contract (limits)"),
                            ("model", "Model deployment"),
                            ("dataset", "Dataset"),
                            ("sources", "Retrieval sources"),
                            ("fallback", "Fallback"),
                            ("infrastructure", "Infrastructure"),
                            ("artifact", "Artifact"),
                        ],
                        max_length=20,
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("created_at", models.DateTimeField()),
                (
                    "retired_at",
                    models.DateTimeField(blank=True, help_text="From then on releases need not pin it.", null=True),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "system",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="components", to="systems.system"
                    ),
                ),
            ],
            options={
                "ordering": ("kind", "name"),
                "constraints": [
                    models.UniqueConstraint(fields=("system", "kind", "name"), name="systems_component_name")
                ],
            },
        ),
        migrations.CreateModel(
            name="Version",
            fields=[
                ("id", models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField()),
                ("sha256", models.CharField(help_text="sha256:<hex> over the canonical bytes.", max_length=71)),
                (
                    "content",
                    models.BinaryField(
                        help_text="The bytes exactly as they came; larger ones are in the vault.", null=True
                    ),
                ),
                ("vault_digest", models.CharField(blank=True, max_length=71)),
                ("size", models.PositiveBigIntegerField()),
                ("media_type", models.CharField(max_length=100)),
                ("meta", models.JSONField(blank=True, default=dict)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("in_review", "In review"),
                            ("approved", "Approved"),
                            ("deprecated", "Deprecated"),
                            ("retired", "Retired"),
                        ],
                        default="draft",
                        max_length=12,
                    ),
                ),
                ("note", models.TextField(blank=True, help_text="What changed, and why.")),
                ("created_at", models.DateTimeField()),
                ("submitted_at", models.DateTimeField(blank=True, null=True)),
                ("reviewed_at", models.DateTimeField(blank=True, null=True)),
                ("review_note", models.TextField(blank=True)),
                (
                    "author",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "component",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="systems.component"
                    ),
                ),
                (
                    "reviewer",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("-number",),
                "constraints": [
                    models.UniqueConstraint(fields=("component", "number"), name="systems_version_number"),
                    models.CheckConstraint(
                        condition=models.Q(("sha256__regex", "^sha256:[0-9a-f]{64}$")), name="systems_version_sha256"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("content__isnull", False), ("vault_digest", "")),
                            models.Q(("content__isnull", True), models.Q(("vault_digest", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="systems_version_content_in_one_place",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("reviewer", None),
                            models.Q(("reviewer", models.F("author")), _negated=True),
                            _connector="OR",
                        ),
                        name="systems_version_second_person",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("reviewed_at__isnull", True), ("reviewer__isnull", True)),
                            models.Q(("reviewed_at__isnull", False), ("reviewer__isnull", False)),
                            _connector="OR",
                        ),
                        name="systems_version_reviewed_both_or_neither",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["draft", "in_review"]), ("reviewer__isnull", False), _connector="OR"
                        ),
                        name="systems_version_approved_has_reviewer",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state", "draft"), ("submitted_at__isnull", False), _connector="OR"),
                        name="systems_version_review_has_time",
                    ),
                ],
            },
        ),
    ]
