"""Where numbers come from, and what they were: sources, pulls, evaluation runs, measurements, watched windows.

Everything measured is immutable: a source that answers differently later makes a new row (triggers, 0002_guards).
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from web.ids import uuid7

DIGEST = r"^sha256:[0-9a-f]{64}$"


class Source(models.Model):
    """A place that answers: a folder or address of evaluation files, a Prometheus server, our own request trail."""

    class Kind(models.TextChoices):
        INSPECT_AI = "inspect_ai", "Inspect AI logs"
        PROMPTFOO = "promptfoo", "promptfoo results"
        MLFLOW = "mlflow", "MLflow runs"
        JSON_HTTP = "json_http", "JSON of any tool"
        TABLE = "table", "Table: CSV or JSON Lines"
        JUNIT = "junit", "JUnit XML"
        PROMETHEUS = "prometheus", "Prometheus"
        TRAIL = "trail", "Request trail"

    class State(models.TextChoices):
        NEW = "new", "Not asked yet"
        OK = "ok", "Answers"
        FAILING = "failing", "Fails"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey("systems.System", on_delete=models.CASCADE, related_name="sources")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    name = models.CharField(max_length=100)
    config = models.JSONField(default=dict, blank=True)
    secret = models.TextField(blank=True, help_text="A bearer token, encrypted (audit.secrets).")
    schedule_seconds = models.PositiveIntegerField(null=True, help_text="Pulled that often; null: only when asked to.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.NEW)
    last_error = models.TextField(blank=True)
    last_ok_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("name",)
        constraints = [
            models.UniqueConstraint(fields=["system", "name"], name="metrics_source_name"),
            models.CheckConstraint(
                name="metrics_source_schedule", condition=Q(schedule_seconds=None) | Q(schedule_seconds__gte=10)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def where(self) -> str:
        return str(self.config.get("location") or self.config.get("url") or "this product")

    @property
    def gives_evaluations(self) -> bool:
        return self.kind not in (self.Kind.PROMETHEUS, self.Kind.TRAIL)


TOOL_NAMES = {
    "inspect_ai": "Inspect AI",
    "mlflow": "MLflow",
    "junit": "JUnit",
    "table": "Table",
    "json_http": "JSON",
}


def tool_in_words(tool: str, version: str) -> str:
    """As people write it."""
    return f"{TOOL_NAMES.get(tool, tool)} {'(version unknown)' if version == 'unknown' else version}"


class EvaluationRun(models.Model):
    """One run of an evaluation tool, as its file tells it. What the file claims is marked as claimed."""

    class Origin(models.TextChoices):
        PULLED = "pulled", "Pulled by us"
        PUSHED_PROVEN = "pushed-proven", "Pushed by a proven pipeline"
        PUSHED_UNPROVEN = "pushed-unproven", "Pushed, origin unproven"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey("systems.System", on_delete=models.CASCADE, related_name="evaluation_runs")
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="runs", null=True)
    release_label = models.CharField(max_length=100, help_text="Claimed by the file.")
    dataset_hash = models.CharField(max_length=71, blank=True, help_text="Claimed by the file.")
    pins = models.JSONField(default=dict, help_text="Claimed by the file: prompt_hash, model, ...")
    tool = models.CharField(max_length=20)
    tool_version = models.CharField(max_length=60)
    tool_run_id = models.CharField(max_length=120, blank=True)
    task = models.CharField(max_length=200, blank=True)
    metric = models.CharField(max_length=100, help_text="The metric that is judged where the policy names none.")
    metrics = models.JSONField(help_text="Metric -> {mean, cases, errored}; exact decimals as text.")
    cases = models.PositiveIntegerField()
    errored = models.PositiveIntegerField(help_text="Cases that ended in an error or without a number.")
    finished_at = models.DateTimeField(null=True, help_text="When the tool says that it ended.")
    origin = models.CharField(max_length=20, choices=Origin.choices)
    pushed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    origin_confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    origin_confirmed_at = models.DateTimeField(null=True)
    raw_digest = models.CharField(max_length=71, help_text="The file, byte for byte, in the vault.")
    raw_size = models.PositiveBigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = [
            models.UniqueConstraint(fields=["system", "raw_digest"], name="metrics_run_once"),
            models.CheckConstraint(name="metrics_run_raw_digest", condition=Q(raw_digest__regex=DIGEST)),
            models.CheckConstraint(name="metrics_run_has_cases", condition=Q(cases__gt=0)),
            models.CheckConstraint(name="metrics_run_errored", condition=Q(errored__lte=F("cases"))),
            models.CheckConstraint(
                name="metrics_run_pulled_or_pushed", condition=Q(origin="pulled") ^ Q(pushed_by__isnull=False)
            ),
            models.CheckConstraint(
                name="metrics_run_confirmed_whole",
                condition=Q(origin_confirmed_by=None, origin_confirmed_at=None)
                | Q(origin_confirmed_by__isnull=False, origin_confirmed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="metrics_run_second_person",
                condition=Q(origin_confirmed_by=None) | ~Q(origin_confirmed_by=F("pushed_by")),
            ),
        ]
        indexes = [models.Index(fields=["system", "release_label", "-created_at"], name="metrics_run_release")]

    def __str__(self) -> str:
        return f"{self.tool} run of {self.release_label}"

    @property
    def made_with(self) -> str:
        return tool_in_words(self.tool, self.tool_version)

    @property
    def origin_proven(self) -> bool:
        """A pushed file counts when a pipeline proved itself, or when a second person confirmed where it came from."""
        return self.origin != self.Origin.PUSHED_UNPROVEN or self.origin_confirmed_at is not None


class CaseResult(models.Model):
    """One case of a run. Repeats (epochs) are averaged within it; a metric without a number is null."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(EvaluationRun, on_delete=models.CASCADE, related_name="results")
    case_id = models.CharField(max_length=200)
    scores = models.JSONField(help_text="Metric -> exact decimal as text, or null.")
    passed = models.BooleanField(null=True, help_text="As the tool says; null where it has no such notion.")
    errored = models.BooleanField()
    error = models.CharField(max_length=300, blank=True)
    repeats = models.PositiveSmallIntegerField(default=1)
    output = models.TextField(blank=True, help_text="Shortened; the whole is in the raw file.")
    output_digest = models.CharField(max_length=71, blank=True)
    tags = models.JSONField(default=list, help_text="The kind of case, as the golden set says: harmful, edge, ...")

    class Meta:
        ordering = ("case_id",)
        constraints = [models.UniqueConstraint(fields=["run", "case_id"], name="metrics_case_once")]

    def __str__(self) -> str:
        return self.case_id


class Target(models.Model):
    """What the answers of a source must be about. Written by releases; a pull refuses everything else."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="targets")
    release_label = models.CharField(max_length=100)
    dataset_hash = models.CharField(max_length=71, blank=True)
    pins = models.JSONField(default=dict, help_text="Name -> accepted values; a claim outside of them is refused.")
    baseline_run = models.ForeignKey(EvaluationRun, on_delete=models.PROTECT, related_name="+", null=True)
    set_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-set_at",)
        constraints = [
            models.UniqueConstraint(fields=["source", "release_label", "dataset_hash"], name="metrics_target_once")
        ]

    def __str__(self) -> str:
        return self.release_label


class Pull(models.Model):
    """One time that a source was asked. Its run key names the work, so a task delivered twice pulls once."""

    class Outcome(models.TextChoices):
        RUNNING = "running", "Running"
        RECORDED = "recorded", "Recorded"
        UNCHANGED = "unchanged", "Nothing new"
        REFUSED = "refused", "Refused"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="pulls")
    run_key = models.CharField(max_length=255, unique=True, help_text="Also the key of the job that does it.")
    release_label = models.CharField(max_length=100, blank=True)
    asked_by = models.CharField(max_length=100, help_text="Actor id.")
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.RUNNING)
    error = models.TextField(blank=True)
    raw_digest = models.CharField(max_length=71, blank=True)
    run = models.ForeignKey(EvaluationRun, on_delete=models.SET_NULL, related_name="pulls", null=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-started_at", "-id")
        constraints = [
            models.CheckConstraint(
                name="metrics_pull_finished_or_running", condition=Q(outcome="running") ^ Q(finished_at__isnull=False)
            )
        ]
        indexes = [models.Index(fields=["source", "-started_at"], name="metrics_pull_source")]

    def __str__(self) -> str:
        return self.run_key


class Measurement(models.Model):
    """One answer of one source about one thing in one time range."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="measurements")
    pull = models.ForeignKey(Pull, on_delete=models.PROTECT, related_name="measurements")
    release_label = models.CharField(max_length=100)
    what = models.CharField(max_length=100)
    value = models.DecimalField(max_digits=30, decimal_places=12)
    unit = models.CharField(max_length=20)
    count = models.PositiveBigIntegerField(help_text="How many requests or cases it rests on.")
    window_from = models.DateTimeField()
    window_to = models.DateTimeField()
    raw_digest = models.CharField(max_length=71)
    labels = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("-created_at", "what")
        constraints = [
            models.UniqueConstraint(fields=["pull", "release_label", "what"], name="metrics_measurement_once"),
            models.CheckConstraint(name="metrics_measurement_window", condition=Q(window_to__gte=F("window_from"))),
            models.CheckConstraint(name="metrics_measurement_raw_digest", condition=Q(raw_digest__regex=DIGEST)),
        ]

    def __str__(self) -> str:
        return f"{self.what} of {self.release_label}"


class Window(models.Model):
    """One minute of one release as one source saw it. Unanswered it counts against the rollout."""

    id = models.BigAutoField(primary_key=True)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="windows")
    release_label = models.CharField(max_length=100)
    since = models.DateTimeField()
    until = models.DateTimeField()
    answered = models.BooleanField()
    requests = models.PositiveBigIntegerField(null=True)
    errors = models.PositiveBigIntegerField(null=True)
    latency = models.JSONField(default=list, help_text="[[upper bound in ms, requests up to it], ...], ascending.")
    reason = models.CharField(max_length=300, blank=True, help_text="Why it is unanswered.")
    note = models.CharField(max_length=300, blank=True, help_text="What was odd about the answer, which counts.")
    raw_digest = models.CharField(max_length=71, blank=True)
    asked_at = models.DateTimeField()

    class Meta:
        ordering = ("since",)
        constraints = [
            models.UniqueConstraint(fields=["source", "release_label", "since"], name="metrics_window_once"),
            models.CheckConstraint(name="metrics_window_span", condition=Q(until__gt=F("since"))),
            models.CheckConstraint(
                name="metrics_window_answered_or_reason",
                condition=Q(answered=True, requests__isnull=False, errors__isnull=False, reason="")
                | (Q(answered=False, requests=None, errors=None) & ~Q(reason="")),
            ),
            models.CheckConstraint(
                name="metrics_window_errors", condition=Q(errors=None) | Q(errors__lte=F("requests"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.release_label} {self.since.isoformat()}"


class DriftReport(models.Model):
    """One calendar week of a system beside the week before, with the numbers as they were then."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey("systems.System", on_delete=models.CASCADE, related_name="drift_reports")
    since = models.DateTimeField()
    until = models.DateTimeField()
    requests = models.PositiveIntegerField(help_text="Looked at, of the week.")
    requests_before = models.PositiveIntegerField(help_text="Looked at, of the week before.")
    psi_max = models.DecimalField(max_digits=18, decimal_places=9, help_text="The running policy's threshold then.")
    figures = models.JSONField(help_text="metrics.judges.drift.Feature, one for each.")
    drifted = models.JSONField(help_text="Names of the features that drifted.")
    digest = models.CharField(max_length=71)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("-until",)
        constraints = [
            models.UniqueConstraint(fields=["system", "until"], name="metrics_drift_once"),
            models.CheckConstraint(name="metrics_drift_span", condition=Q(until__gt=F("since"))),
            models.CheckConstraint(name="metrics_drift_digest", condition=Q(digest__regex=DIGEST)),
        ]

    def __str__(self) -> str:
        return f"drift of {self.system_id} until {self.until:%Y-%m-%d}"
