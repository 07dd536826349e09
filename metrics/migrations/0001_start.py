import django.db.models.deletion
import web.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '__first__'),
        ('systems', '0002_guards'),
    ]

    operations = [
        migrations.CreateModel(
            name='EvaluationRun',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('release_label', models.CharField(help_text='Claimed by the file.', max_length=100)),
                ('dataset_hash', models.CharField(blank=True, help_text='Claimed by the file.', max_length=71)),
                ('pins', models.JSONField(default=dict, help_text='Claimed by the file: prompt_hash, model, ...')),
                ('tool', models.CharField(max_length=20)),
                ('tool_version', models.CharField(max_length=60)),
                ('tool_run_id', models.CharField(blank=True, max_length=120)),
                ('task', models.CharField(blank=True, max_length=200)),
                ('metric', models.CharField(help_text='The metric that is judged where the policy names none.', max_length=100)),
                ('metrics', models.JSONField(help_text='Metric -> {mean, cases, errored}; exact decimals as text.')),
                ('cases', models.PositiveIntegerField()),
                ('errored', models.PositiveIntegerField(help_text='Cases that ended in an error or without a number.')),
                ('finished_at', models.DateTimeField(help_text='When the tool says that it ended.', null=True)),
                ('origin', models.CharField(choices=[('pulled', 'Pulled by us'), ('pushed-proven', 'Pushed by a proven pipeline'), ('pushed-unproven', 'Pushed, origin unproven')], max_length=20)),
                ('origin_confirmed_at', models.DateTimeField(null=True)),
                ('raw_digest', models.CharField(help_text='The file, byte for byte, in the vault.', max_length=71)),
                ('raw_size', models.PositiveBigIntegerField()),
                ('created_at', models.DateTimeField()),
                ('origin_confirmed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('pushed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('system', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='evaluation_runs', to='systems.system')),
            ],
            options={
                'ordering': ('-created_at', '-id'),
                'indexes': [models.Index(fields=['system', 'release_label', '-created_at'], name='metrics_run_release')],
                'constraints': [models.UniqueConstraint(fields=('system', 'raw_digest'), name='metrics_run_once'), models.CheckConstraint(condition=models.Q(('raw_digest__regex', '^sha256:[0-9a-f]{64}$')), name='metrics_run_raw_digest'), models.CheckConstraint(condition=models.Q(('cases__gt', 0)), name='metrics_run_has_cases'), models.CheckConstraint(condition=models.Q(('errored__lte', models.F('cases'))), name='metrics_run_errored'), models.CheckConstraint(condition=models.Q(('origin', 'pulled'), ('pushed_by__isnull', False), _connector='XOR'), name='metrics_run_pulled_or_pushed'), models.CheckConstraint(condition=models.Q(models.Q(('origin_confirmed_at', None), ('origin_confirmed_by', None)), models.Q(('origin_confirmed_at__isnull', False), ('origin_confirmed_by__isnull', False)), _connector='OR'), name='metrics_run_confirmed_whole'), models.CheckConstraint(condition=models.Q(('origin_confirmed_by', None), models.Q(('origin_confirmed_by', models.F('pushed_by')), _negated=True), _connector='OR'), name='metrics_run_second_person')],
            },
        ),
        migrations.CreateModel(
            name='Source',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('inspect_ai', 'Inspect AI logs'), ('promptfoo', 'promptfoo results'), ('prometheus', 'Prometheus'), ('trail', 'Request trail')], max_length=20)),
                ('name', models.CharField(max_length=100)),
                ('config', models.JSONField(blank=True, default=dict)),
                ('secret', models.TextField(blank=True, help_text='A bearer token, encrypted (audit.secrets).')),
                ('schedule_seconds', models.PositiveIntegerField(help_text='Pulled that often; null: only when asked to.', null=True)),
                ('state', models.CharField(choices=[('new', 'Not asked yet'), ('ok', 'Answers'), ('failing', 'Fails')], default='new', max_length=10)),
                ('last_error', models.TextField(blank=True)),
                ('last_ok_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField()),
                ('retired_at', models.DateTimeField(null=True)),
                ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('system', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sources', to='systems.system')),
            ],
            options={
                'ordering': ('name',),
                'constraints': [models.UniqueConstraint(fields=('system', 'name'), name='metrics_source_name'), models.CheckConstraint(condition=models.Q(('schedule_seconds', None), ('schedule_seconds__gte', 10), _connector='OR'), name='metrics_source_schedule')],
            },
        ),
        migrations.CreateModel(
            name='Pull',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('run_key', models.CharField(help_text='Also the key of the job that does it.', max_length=255, unique=True)),
                ('release_label', models.CharField(blank=True, max_length=100)),
                ('asked_by', models.CharField(help_text='Actor id.', max_length=100)),
                ('outcome', models.CharField(choices=[('running', 'Running'), ('recorded', 'Recorded'), ('unchanged', 'Nothing new'), ('refused', 'Refused'), ('failed', 'Failed')], default='running', max_length=10)),
                ('error', models.TextField(blank=True)),
                ('raw_digest', models.CharField(blank=True, max_length=71)),
                ('started_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('run', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='pulls', to='metrics.evaluationrun')),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='pulls', to='metrics.source')),
            ],
            options={
                'ordering': ('-started_at', '-id'),
                'indexes': [models.Index(fields=['source', '-started_at'], name='metrics_pull_source')],
                'constraints': [models.CheckConstraint(condition=models.Q(('outcome', 'running'), ('finished_at__isnull', False), _connector='XOR'), name='metrics_pull_finished_or_running')],
            },
        ),
        migrations.CreateModel(
            name='Measurement',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('release_label', models.CharField(max_length=100)),
                ('what', models.CharField(max_length=100)),
                ('value', models.DecimalField(decimal_places=12, max_digits=30)),
                ('unit', models.CharField(max_length=20)),
                ('count', models.PositiveBigIntegerField(help_text='How many requests or cases it rests on.')),
                ('window_from', models.DateTimeField()),
                ('window_to', models.DateTimeField()),
                ('raw_digest', models.CharField(max_length=71)),
                ('labels', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField()),
                ('pull', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='measurements', to='metrics.pull')),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='measurements', to='metrics.source')),
            ],
            options={
                'ordering': ('-created_at', 'what'),
                'constraints': [models.UniqueConstraint(fields=('pull', 'release_label', 'what'), name='metrics_measurement_once'), models.CheckConstraint(condition=models.Q(('window_to__gte', models.F('window_from'))), name='metrics_measurement_window'), models.CheckConstraint(condition=models.Q(('raw_digest__regex', '^sha256:[0-9a-f]{64}$')), name='metrics_measurement_raw_digest')],
            },
        ),
        migrations.AddField(
            model_name='evaluationrun',
            name='source',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='runs', to='metrics.source'),
        ),
        migrations.CreateModel(
            name='Target',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('release_label', models.CharField(max_length=100)),
                ('dataset_hash', models.CharField(blank=True, max_length=71)),
                ('pins', models.JSONField(default=dict, help_text='Name -> accepted values; a claim outside of them is refused.')),
                ('set_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('baseline_run', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='metrics.evaluationrun')),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='targets', to='metrics.source')),
            ],
            options={
                'ordering': ('-set_at',),
                'constraints': [models.UniqueConstraint(fields=('source', 'release_label', 'dataset_hash'), name='metrics_target_once')],
            },
        ),
        migrations.CreateModel(
            name='Window',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('release_label', models.CharField(max_length=100)),
                ('since', models.DateTimeField()),
                ('until', models.DateTimeField()),
                ('answered', models.BooleanField()),
                ('requests', models.PositiveBigIntegerField(null=True)),
                ('errors', models.PositiveBigIntegerField(null=True)),
                ('latency', models.JSONField(default=list, help_text='[[upper bound in ms, requests up to it], ...], ascending.')),
                ('reason', models.CharField(blank=True, help_text='Why it is unanswered.', max_length=300)),
                ('raw_digest', models.CharField(blank=True, max_length=71)),
                ('asked_at', models.DateTimeField()),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='windows', to='metrics.source')),
            ],
            options={
                'ordering': ('since',),
                'constraints': [models.UniqueConstraint(fields=('source', 'release_label', 'since'), name='metrics_window_once'), models.CheckConstraint(condition=models.Q(('until__gt', models.F('since'))), name='metrics_window_span'), models.CheckConstraint(condition=models.Q(models.Q(('answered', True), ('errors__isnull', False), ('reason', ''), ('requests__isnull', False)), models.Q(('answered', False), ('errors', None), ('requests', None), models.Q(('reason', ''), _negated=True)), _connector='OR'), name='metrics_window_answered_or_reason'), models.CheckConstraint(condition=models.Q(('errors', None), ('errors__lte', models.F('requests')), _connector='OR'), name='metrics_window_errors')],
            },
        ),
        migrations.CreateModel(
            name='CaseResult',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('case_id', models.CharField(max_length=200)),
                ('scores', models.JSONField(help_text='Metric -> exact decimal as text, or null.')),
                ('passed', models.BooleanField(help_text='As the tool says; null where it has no such notion.', null=True)),
                ('errored', models.BooleanField()),
                ('error', models.CharField(blank=True, max_length=300)),
                ('repeats', models.PositiveSmallIntegerField(default=1)),
                ('output', models.TextField(blank=True, help_text='Shortened; the whole is in the raw file.')),
                ('output_digest', models.CharField(blank=True, max_length=71)),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='results', to='metrics.evaluationrun')),
            ],
            options={
                'ordering': ('case_id',),
                'constraints': [models.UniqueConstraint(fields=('run', 'case_id'), name='metrics_case_once')],
            },
        ),
    ]
