import django.contrib.postgres.fields
import django.db.models.deletion
import web.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0002_confirmations'),
        ('accounts', '__first__'),
        ('systems', '0002_guards'),
    ]

    operations = [
        migrations.CreateModel(
            name='MailPreference',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='mail_preference', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('mode', models.CharField(choices=[('all', 'Everything that concerns my roles'), ('alarms', 'Alarms only'), ('none', 'Nothing')], default='all', max_length=10)),
            ],
        ),
        migrations.CreateModel(
            name='Channel',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=80)),
                ('kind', models.CharField(choices=[('email', 'E-mail'), ('webhook', 'Webhook')], max_length=10)),
                ('target', models.CharField(max_length=500)),
                ('secret', models.TextField(blank=True, help_text='Encrypted. Webhooks only.')),
                ('previous_secret', models.TextField(blank=True, help_text='Encrypted. Signs besides the new one during rotation.')),
                ('previous_secret_until', models.DateTimeField(null=True)),
                ('topics', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=100), blank=True, default=list, help_text='Empty: every topic.')),
                ('state', models.CharField(choices=[('active', 'Active'), ('off', 'Switched off')], default='active', max_length=10)),
                ('tested_at', models.DateTimeField(help_text='When a test message last arrived.', null=True)),
                ('created_at', models.DateTimeField()),
                ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('system', models.ForeignKey(help_text='None: every system.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='channels', to='systems.system')),
            ],
            options={
                'ordering': ('name', 'id'),
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('kind', 'email'), ('secret', '')), models.Q(('kind', 'webhook'), models.Q(('secret', ''), _negated=True)), _connector='OR'), name='operations_channel_webhook_has_secret'), models.CheckConstraint(condition=models.Q(models.Q(('previous_secret', ''), ('previous_secret_until', None)), models.Q(models.Q(('previous_secret', ''), _negated=True), ('previous_secret_until__isnull', False)), _connector='OR'), name='operations_channel_rotation_both_or_neither'), models.UniqueConstraint(fields=('system', 'kind', 'target'), name='operations_channel_target_once', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='Drill',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('rollback', 'Rollback'), ('runbook', 'Runbook'), ('ux_fallback', 'Fallback as users see it'), ('degradation', 'Degradation plan'), ('budget_alarm', 'Budget alarm'), ('incident', 'Simulated incident')], max_length=20)),
                ('environment', models.CharField(max_length=40)),
                ('release_label', models.CharField(blank=True, help_text='The release it was run with.', max_length=100)),
                ('plan', models.TextField(help_text='What will be broken, and what must happen.')),
                ('state', models.CharField(choices=[('planned', 'Planned'), ('running', 'Running'), ('ended', 'Ended')], default='planned', max_length=10)),
                ('planned_at', models.DateTimeField()),
                ('started_at', models.DateTimeField(null=True)),
                ('recovered_at', models.DateTimeField(help_text='The service was well again: the measured time ends here.', null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('outcome', models.CharField(blank=True, choices=[('passed', 'Passed'), ('failed', 'Failed')], max_length=10)),
                ('measured', models.DurationField(help_text='From start to recovery; without one, to the end.', null=True)),
                ('log', models.TextField(blank=True, help_text='What happened, and what to do better.')),
                ('evidence_digest', models.CharField(blank=True, max_length=71)),
                ('evidence_name', models.CharField(blank=True, max_length=200)),
                ('evidence_type', models.CharField(blank=True, max_length=100)),
                ('ended_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('participants', models.ManyToManyField(related_name='+', to=settings.AUTH_USER_MODEL)),
                ('planned_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('started_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('system', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='drills', to='systems.system')),
            ],
            options={
                'ordering': ('-planned_at',),
                'indexes': [models.Index(fields=['system', 'kind', '-ended_at'], name='operations_drill_latest')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('recovered_at', None), ('started_at', None), ('started_by', None), ('state', 'planned')), models.Q(('ended_at', None), ('started_at__isnull', False), ('started_by__isnull', False), ('state', 'running')), models.Q(('ended_at__isnull', False), ('ended_by__isnull', False), ('measured__isnull', False), ('started_at__isnull', False), ('started_by__isnull', False), ('state', 'ended')), _connector='OR'), name='operations_drill_times_fit_state'), models.CheckConstraint(condition=models.Q(models.Q(('outcome__in', ['passed', 'failed']), ('state', 'ended')), models.Q(models.Q(('state', 'ended'), _negated=True), ('outcome', '')), _connector='OR'), name='operations_drill_outcome_at_end'), models.CheckConstraint(condition=models.Q(models.Q(('outcome', 'passed'), _negated=True), ('recovered_at__isnull', False), _connector='OR'), name='operations_drill_passed_recovered'), models.CheckConstraint(condition=models.Q(models.Q(('recovered_at', None), ('recovered_at__gte', models.F('started_at')), _connector='OR'), models.Q(('ended_at', None), ('ended_at__gte', models.F('started_at')), _connector='OR')), name='operations_drill_time_runs_forward')],
            },
        ),
        migrations.CreateModel(
            name='DrillMoment',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('text', models.CharField(max_length=500)),
                ('by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('drill', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='moments', to='operations.drill')),
            ],
            options={
                'ordering': ('at', 'id'),
            },
        ),
        migrations.CreateModel(
            name='Freeze',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('cause', models.CharField(choices=[('manual', 'Decided by a person'), ('incident', 'Incident'), ('drift', 'Drift'), ('cost_spike', 'Cost spike'), ('overdue_review', 'Overdue review')], max_length=20)),
                ('reason', models.TextField()),
                ('imposed_at', models.DateTimeField()),
                ('mitigation', models.TextField(blank=True)),
                ('mitigation_release', models.CharField(blank=True, help_text='Label of the release that is the fix: the freeze spares it.', max_length=100)),
                ('mitigation_at', models.DateTimeField(null=True)),
                ('confirmed_engineering_at', models.DateTimeField(null=True)),
                ('confirmed_operations_at', models.DateTimeField(null=True)),
                ('lifted_at', models.DateTimeField(null=True)),
                ('confirmed_engineering_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('confirmed_operations_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('imposed_by', models.ForeignKey(help_text='None: the product.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('mitigation_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('system', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='freezes', to='systems.system')),
            ],
            options={
                'ordering': ('-imposed_at',),
                'indexes': [models.Index(condition=models.Q(('lifted_at', None)), fields=['system'], name='operations_freeze_active')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('mitigation', ''), ('mitigation_at', None), ('mitigation_by', None), ('mitigation_release', '')), models.Q(models.Q(('mitigation', ''), _negated=True), ('mitigation_at__isnull', False), ('mitigation_by__isnull', False)), _connector='OR'), name='operations_freeze_mitigation_whole'), models.CheckConstraint(condition=models.Q(models.Q(('confirmed_engineering_at', None), ('confirmed_engineering_by', None)), models.Q(('confirmed_engineering_at__isnull', False), ('confirmed_engineering_by__isnull', False)), _connector='OR'), name='operations_freeze_engineering_both_or_neither'), models.CheckConstraint(condition=models.Q(models.Q(('confirmed_operations_at', None), ('confirmed_operations_by', None)), models.Q(('confirmed_operations_at__isnull', False), ('confirmed_operations_by__isnull', False)), _connector='OR'), name='operations_freeze_operations_both_or_neither'), models.CheckConstraint(condition=models.Q(('mitigation_by__isnull', False), models.Q(('confirmed_engineering_by', None), ('confirmed_operations_by', None)), _connector='OR'), name='operations_freeze_confirms_a_mitigation'), models.CheckConstraint(condition=models.Q(models.Q(('confirmed_engineering_by', None), models.Q(('confirmed_engineering_by', models.F('mitigation_by')), _negated=True), _connector='OR'), models.Q(('confirmed_operations_by', None), models.Q(('confirmed_operations_by', models.F('mitigation_by')), _negated=True), _connector='OR'), models.Q(('confirmed_operations_by', None), ('confirmed_engineering_by', None), models.Q(('confirmed_operations_by', models.F('confirmed_engineering_by')), _negated=True), _connector='OR')), name='operations_freeze_three_people'), models.CheckConstraint(condition=models.Q(('lifted_at', None), models.Q(('confirmed_engineering_by__isnull', False), ('confirmed_operations_by__isnull', False)), _connector='OR'), name='operations_freeze_lifted_by_both'), models.UniqueConstraint(condition=models.Q(('imposed_by', None), ('lifted_at', None)), fields=('system', 'cause'), name='operations_freeze_product_once')],
            },
        ),
        migrations.CreateModel(
            name='Notification',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('key', models.CharField(help_text='Names what happened: told twice, it is sent once.', max_length=255, unique=True)),
                ('topic', models.CharField(max_length=100)),
                ('subject', models.CharField(max_length=200)),
                ('title', models.CharField(max_length=200)),
                ('body', models.TextField(blank=True)),
                ('url', models.CharField(blank=True, help_text='A path of this site.', max_length=500)),
                ('breach_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField()),
                ('system', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='notifications', to='systems.system')),
            ],
            options={
                'indexes': [models.Index(fields=['system', '-created_at'], name='operations_notification_list'), models.Index(condition=models.Q(('breach_at', None), _negated=True), fields=['system', 'created_at'], name='operations_notification_alarm')],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('sent', 'Sent'), ('failed', 'Failed, will be tried again'), ('dead', 'Given up')], default='waiting', max_length=10)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('interrupted', models.PositiveSmallIntegerField(default=0, help_text='Attempts whose worker was lost in the middle: the message may have arrived or not.')),
                ('next_at', models.DateTimeField()),
                ('claimed_until', models.DateTimeField(help_text='A worker is sending it until then.', null=True)),
                ('sent_at', models.DateTimeField(null=True)),
                ('delay', models.DurationField(help_text='From the breach (or the event) until it was sent.', null=True)),
                ('last_error', models.CharField(blank=True, max_length=500)),
                ('response_code', models.PositiveSmallIntegerField(null=True)),
                ('created_at', models.DateTimeField()),
                ('channel', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='operations.channel')),
                ('person', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('notification', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='operations.notification')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('state__in', ['waiting', 'failed'])), fields=['next_at'], name='operations_delivery_due'), models.Index(fields=['channel', '-created_at'], name='operations_delivery_log')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('channel', None), _negated=True), fields=('notification', 'channel'), name='operations_delivery_once_channel'), models.UniqueConstraint(condition=models.Q(('person', None), _negated=True), fields=('notification', 'person'), name='operations_delivery_once_person'), models.CheckConstraint(condition=models.Q(models.Q(('channel', None), ('person__isnull', False)), models.Q(('channel__isnull', False), ('person', None)), _connector='OR'), name='operations_delivery_one_receiver'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'sent'), _negated=True), models.Q(('delay__isnull', False), ('sent_at__isnull', False)), _connector='OR'), name='operations_delivery_sent_has_time')],
            },
        ),
        migrations.CreateModel(
            name='BudgetAlarm',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('day', models.DateField(help_text="The system's budget day, in its own time zone.")),
                ('level', models.CharField(choices=[('alert', 'Alert'), ('exceeded', 'Exceeded')], max_length=10)),
                ('threshold_nanousd', models.BigIntegerField()),
                ('spent_nanousd', models.BigIntegerField(help_text='When it was noticed.')),
                ('breach_at', models.DateTimeField(help_text='Start of the request whose cost crossed the threshold.')),
                ('noticed_at', models.DateTimeField()),
                ('system', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='budget_alarms', to='systems.system')),
                ('notification', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='operations.notification')),
            ],
            options={
                'ordering': ('-noticed_at',),
                'constraints': [models.UniqueConstraint(fields=('system', 'day', 'level', 'threshold_nanousd'), name='operations_budget_alarm_once')],
            },
        ),
        migrations.CreateModel(
            name='StatusChange',
            fields=[
                ('id', models.UUIDField(default=web.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('normal', 'Normal'), ('degraded', 'Degraded'), ('fallback', 'Fallback'), ('stopped', 'Stopped')], max_length=10)),
                ('reason', models.TextField()),
                ('changed_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(null=True)),
                ('changed_by', models.ForeignKey(help_text='None: the product.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('system', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='status_changes', to='systems.system')),
            ],
            options={
                'ordering': ('-changed_at', '-id'),
                'indexes': [models.Index(fields=['system', '-changed_at', '-id'], name='operations_status_now')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('expires_at__isnull', False), ('status__in', ['degraded', 'fallback'])), models.Q(('expires_at', None), ('status__in', ['normal', 'stopped'])), _connector='OR'), name='operations_status_expiry'), models.CheckConstraint(condition=models.Q(('expires_at', None), ('expires_at__gt', models.F('changed_at')), _connector='OR'), name='operations_status_ends_after_start')],
            },
        ),
    ]
