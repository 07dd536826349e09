import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import web.ids
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0002_confirmations'),
        ('accounts', '__first__'),
        ('metrics', '0002_guards'),
        ('systems', '0002_guards'),
    ]

    operations = [
        migrations.CreateModel(
            name='StandardVersion',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('number', models.CharField(max_length=20, unique=True)),
                ('title', models.CharField(max_length=120)),
                ('body', models.JSONField()),
                ('sha256', models.CharField(max_length=71)),
                ('published_at', models.DateTimeField()),
                ('superseded_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ('-published_at',),
            },
        ),
        migrations.CreateModel(
            name='Item',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('key', models.CharField(max_length=80)),
                ('position', models.PositiveSmallIntegerField()),
                ('due_at', models.DateTimeField(blank=True, null=True)),
                ('verified_at', models.DateTimeField(null=True)),
                ('verified_digests', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=71), default=list)),
                ('sent_back_reason', models.TextField(blank=True)),
                ('stale_reason', models.TextField(blank=True)),
                ('not_applicable_reason', models.TextField(blank=True)),
                ('revision', models.PositiveIntegerField(default=0, help_text='Grows with each change: two editors cannot both win.')),
                ('not_applicable_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('not_applicable_confirmed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('owner', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('verified_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('position',),
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('verified_at__isnull', True), ('verified_by__isnull', True), ('verified_digests', [])), models.Q(('verified_at__isnull', False), ('verified_by__isnull', False), models.Q(('verified_digests', []), _negated=True)), _connector='OR'), name='releases_item_verified_whole'), models.CheckConstraint(condition=models.Q(('not_applicable_by', None), models.Q(('not_applicable_reason', ''), _negated=True), _connector='OR'), name='releases_item_not_applicable_reason'), models.CheckConstraint(condition=models.Q(('not_applicable_confirmed_by', None), models.Q(('not_applicable_by__isnull', False), models.Q(('not_applicable_confirmed_by', models.F('not_applicable_by')), _negated=True)), _connector='OR'), name='releases_item_not_applicable_two_people')],
            },
        ),
        migrations.CreateModel(
            name='Evidence',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('file', 'File'), ('link', 'Link'), ('record', 'Record'), ('measurement', 'Measurement')], max_length=12)),
                ('title', models.CharField(max_length=200)),
                ('digest', models.CharField(help_text='Of the bytes in the vault.', max_length=71)),
                ('media_type', models.CharField(max_length=100)),
                ('size', models.PositiveBigIntegerField()),
                ('url', models.URLField(blank=True, max_length=1000)),
                ('note', models.TextField(blank=True)),
                ('via', models.CharField(blank=True, max_length=60)),
                ('attached_at', models.DateTimeField()),
                ('valid_until', models.DateTimeField(null=True)),
                ('superseded_at', models.DateTimeField(null=True)),
                ('attached_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='evidence', to='releases.item')),
            ],
            options={
                'ordering': ('-attached_at',),
                'constraints': [models.UniqueConstraint(condition=models.Q(('superseded_at', None)), fields=('item', 'digest'), name='releases_evidence_once'), models.CheckConstraint(condition=models.Q(('attached_by__isnull', False), ('kind', 'measurement'), _connector='OR'), name='releases_evidence_product_measures')],
            },
        ),
        migrations.CreateModel(
            name='Release',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('label', models.CharField(max_length=60)),
                ('summary', models.TextField(blank=True)),
                ('ticket_url', models.URLField(blank=True, max_length=500)),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('pre-production', 'Pre-production'), ('shadow', 'Shadow'), ('canary', 'Canary'), ('live', 'Live'), ('superseded', 'Superseded'), ('rolled-back', 'Rolled back'), ('abandoned', 'Abandoned')], default='draft', max_length=15)),
                ('opened_at', models.DateTimeField()),
                ('live_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('end_reason', models.TextField(blank=True)),
                ('authors', models.ManyToManyField(help_text='All who opened it or ever set a pin; they sign neither side.', related_name='+', to=settings.AUTH_USER_MODEL)),
                ('opened_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('policy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='systems.releasepolicy')),
                ('system', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='releases', to='systems.system')),
                ('standard', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='releases.standardversion')),
            ],
            options={
                'ordering': ('-opened_at',),
                'constraints': [models.UniqueConstraint(fields=('system', 'label'), name='releases_release_label'), models.UniqueConstraint(condition=models.Q(('state__in', ['canary', 'shadow'])), fields=('system',), name='releases_release_one_in_rollout'), models.UniqueConstraint(condition=models.Q(('state', 'live')), fields=('system',), name='releases_release_one_live'), models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['superseded', 'rolled-back', 'abandoned']), _negated=True), ('ended_at__isnull', False), _connector='OR'), name='releases_release_ended_has_time'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'live'), _negated=True), ('live_at__isnull', False), _connector='OR'), name='releases_release_live_has_time')],
            },
        ),
        migrations.CreateModel(
            name='Rejection',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('side', models.CharField(choices=[('engineering', 'Engineering'), ('operations', 'Operations')], max_length=12)),
                ('reason', models.TextField()),
                ('rejected_at', models.DateTimeField()),
                ('lifted_at', models.DateTimeField(null=True)),
                ('by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('lifted_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('release', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rejections', to='releases.release')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='releases_rejection_has_reason'), models.CheckConstraint(condition=models.Q(models.Q(('lifted_at__isnull', True), ('lifted_by__isnull', True)), models.Q(('lifted_at__isnull', False), ('lifted_by__isnull', False)), _connector='OR'), name='releases_rejection_lifted_both_or_neither')],
            },
        ),
        migrations.CreateModel(
            name='Pin',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('set_at', models.DateTimeField()),
                ('component', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='systems.component')),
                ('set_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='systems.version')),
                ('release', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='pins', to='releases.release')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('release', 'component'), name='releases_pin_one_per_component')],
            },
        ),
        migrations.CreateModel(
            name='Judgement',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('fact', models.JSONField(help_text='releases.gate.types.EvaluationFact')),
                ('judged_at', models.DateTimeField()),
                ('baseline_run', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='metrics.evaluationrun')),
                ('policy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='systems.releasepolicy')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='metrics.evaluationrun')),
                ('release', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='judgements', to='releases.release')),
            ],
            options={
                'ordering': ('-judged_at', '-id'),
                'constraints': [models.UniqueConstraint(fields=('release', 'run', 'baseline_run', 'policy'), name='releases_judgement_once', nulls_distinct=False)],
            },
        ),
        migrations.AddField(
            model_name='item',
            name='release',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='items', to='releases.release'),
        ),
        migrations.CreateModel(
            name='Decision',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('question', models.CharField(choices=[('canary', 'Canary'), ('release', 'Release')], max_length=10)),
                ('occasion', models.CharField(choices=[('signed', 'Signed'), ('started', 'Canary started'), ('promoted', 'Promoted'), ('asked', 'Pipeline asked')], max_length=10)),
                ('gate_version', models.PositiveSmallIntegerField()),
                ('state_digest', models.CharField(max_length=71)),
                ('facts', models.JSONField()),
                ('policy', models.JSONField()),
                ('verdict', models.JSONField()),
                ('cleared', models.BooleanField()),
                ('signatures', models.JSONField(help_text='Of each signer: name, role grant, public key, statement digest.')),
                ('references', models.JSONField(help_text='Windows, raw answers and the request log checkpoint that the facts rest on.')),
                ('digest', models.CharField(max_length=71, unique=True)),
                ('decided_at', models.DateTimeField()),
                ('release', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='releases.release')),
            ],
            options={
                'ordering': ('decided_at',),
                'indexes': [models.Index(fields=['release', 'question', 'decided_at'], name='releases_decision_latest')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('occasion__in', ['started', 'promoted'])), fields=('release', 'occasion'), name='releases_decision_closes_once')],
            },
        ),
        migrations.CreateModel(
            name='Answer',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('key', models.CharField(max_length=80)),
                ('value', models.CharField(choices=[('yes', 'Yes'), ('no', 'No')], max_length=3)),
                ('text', models.TextField()),
                ('answered_at', models.DateTimeField()),
                ('answered_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('evidence', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='releases.evidence')),
                ('release', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='answers', to='releases.release')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('release', 'key'), name='releases_answer_once'), models.CheckConstraint(condition=models.Q(('text', ''), _negated=True), name='releases_answer_has_words')],
            },
        ),
        migrations.CreateModel(
            name='Rollout',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('strategy', models.CharField(choices=[('canary', 'Canary')], default='canary', max_length=6)),
                ('share', models.DecimalField(decimal_places=4, max_digits=5, validators=[django.core.validators.MinValueValidator(Decimal('0.0001'))])),
                ('hours', models.PositiveSmallIntegerField()),
                ('error_rate_max', models.DecimalField(decimal_places=5, max_digits=6)),
                ('p95_ms_max', models.PositiveIntegerField()),
                ('planned_at', models.DateTimeField()),
                ('state', models.CharField(choices=[('planned', 'Planned'), ('running', 'Running'), ('passed', 'Passed'), ('breached', 'Breached'), ('aborted', 'Aborted')], default='planned', max_length=8)),
                ('started_at', models.DateTimeField(null=True)),
                ('watched_until', models.DateTimeField(help_text='The end of the last window that was judged.', null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('end_reason', models.TextField(blank=True)),
                ('planned_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('release', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='rollout', to='releases.release')),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='metrics.source')),
                ('started_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('share__gt', Decimal('0')), ('share__lte', Decimal('1'))), name='releases_rollout_share'), models.CheckConstraint(condition=models.Q(('hours__gte', 1)), name='releases_rollout_hours'), models.CheckConstraint(condition=models.Q(models.Q(('started_at__isnull', True), ('started_by__isnull', True), ('state', 'planned')), models.Q(models.Q(('state', 'planned'), _negated=True), ('started_at__isnull', False), ('started_by__isnull', False)), _connector='OR'), name='releases_rollout_started_whole')],
            },
        ),
        migrations.CreateModel(
            name='SignOff',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('question', models.CharField(choices=[('canary', 'Canary'), ('release', 'Release')], max_length=10)),
                ('side', models.CharField(choices=[('engineering', 'Engineering'), ('operations', 'Operations')], max_length=12)),
                ('state_digest', models.CharField(max_length=71)),
                ('statement', models.JSONField(help_text='What was signed, in full: releases.statement.')),
                ('statement_digest', models.CharField(max_length=71)),
                ('nonce', models.CharField(max_length=64, unique=True)),
                ('method', models.CharField(choices=[('passkey', 'Passkey'), ('two-factor', 'Password and one-time code (not key-bound)')], max_length=12)),
                ('assertion', models.JSONField(help_text="The passkey's answer; it verifies without this program.", null=True)),
                ('signed_at', models.DateTimeField()),
                ('voided_at', models.DateTimeField(null=True)),
                ('void_reason', models.TextField(blank=True)),
                ('withdrawn_at', models.DateTimeField(null=True)),
                ('grant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.rolegrant')),
                ('release', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sign_offs', to='releases.release')),
                ('signer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('signed_at',),
                'constraints': [models.UniqueConstraint(condition=models.Q(('voided_at', None), ('withdrawn_at', None)), fields=('release', 'question', 'side', 'signer', 'state_digest'), name='releases_signoff_once'), models.CheckConstraint(condition=models.Q(models.Q(('assertion__isnull', True), ('method', 'two-factor')), models.Q(('assertion__isnull', False), ('method', 'passkey')), _connector='OR'), name='releases_signoff_passkey_has_assertion'), models.CheckConstraint(condition=models.Q(models.Q(('void_reason', ''), ('voided_at', None)), models.Q(('voided_at__isnull', False), models.Q(('void_reason', ''), _negated=True)), _connector='OR'), name='releases_signoff_void_has_reason')],
            },
        ),
        migrations.AddConstraint(
            model_name='item',
            constraint=models.UniqueConstraint(fields=('release', 'key'), name='releases_item_key'),
        ),
    ]
