"""What people type about sources. What it means is checked by the action; here it only becomes settings."""

from typing import Any

from django import forms

from metrics.mapping import Fields
from metrics.models import EvaluationRun, Source

BY_HAND = ""
SCHEDULES = [(BY_HAND, "Only when asked"), ("300", "Every 5 minutes"), ("3600", "Every hour"), ("86400", "Every day")]
LOCATION = (
    "A path inside the evaluation folder, or an address. {{release}} stands for the release's label: "
    "support-bot/{{release}}/*.{}. The newest file that matches is read."
)
SCORES = "One a line, metric=place, the one that is judged first: correct=grade."


class SourceForm(forms.Form):
    """What every source has. Subclasses add the settings of their connector and name them in `settings`."""

    settings: tuple[str, ...] = ()

    name = forms.CharField(max_length=100, help_text="As people call it: CI evaluations, production Prometheus.")

    def config(self) -> dict[str, Any]:
        return {
            name: self.cleaned_data[name] for name in self.settings if self.cleaned_data.get(name) not in ("", None)
        }

    @staticmethod
    def shown(config: dict[str, Any]) -> dict[str, Any]:
        """Settings as the form's fields show them."""
        return config


class SecretField(forms.CharField):
    def __init__(self, help_text: str) -> None:
        widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
        super().__init__(required=False, max_length=2000, label="Bearer token", widget=widget, help_text=help_text)


class FreshField(forms.IntegerField):
    def __init__(self) -> None:
        super().__init__(
            label="Days that a run is fresh", min_value=1, max_value=3650, required=False, initial=90,
            help_text="A run that ended earlier is refused. Empty: runs do not age.",
        )  # fmt: skip


class FileForm(SourceForm):
    settings: tuple[str, ...] = ("location", "fresh_days")

    location = forms.CharField(
        max_length=500,
        help_text=LOCATION.format("json"),
    )
    fresh_days = FreshField()
    secret = SecretField("Sent to the address, if it needs one. Stored encrypted, never shown again.")
    schedule = forms.ChoiceField(label="Pull", choices=SCHEDULES, required=False)


class MappedForm(FileForm):
    """A file of no particular tool: where each part of it stands."""

    settings: tuple[str, ...] = (
        "location", "rows", "case_id", "scores", "passed", "error", "output", "tags", "repeat", "release",
        "dataset_hash", "prompt_hash", "model", "finished_at", "tool_version", "total", "fresh_days",
    )  # fmt: skip

    scores = forms.CharField(
        required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=SCORES,
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.settings:
            if name not in self.fields:
                label = name.replace("_", " ").capitalize()
                usual = forms.TextInput(attrs={"placeholder": getattr(Fields, name)})
                self.fields[name] = forms.CharField(label=label, max_length=500, required=False, widget=usual)
        schedule = self.fields.pop("schedule")
        self.fields["schedule"] = schedule

    def clean_scores(self) -> dict[str, str]:
        pairs = [line.partition("=") for line in self.cleaned_data["scores"].splitlines() if line.strip()]
        if any(not middle for _, middle, _ in pairs):
            raise forms.ValidationError("Write metric=place, one a line.")
        return {name.strip(): place.strip() for name, _, place in pairs}

    def config(self) -> dict[str, Any]:
        return {name: value for name, value in super().config().items() if value}

    @staticmethod
    def shown(config: dict[str, Any]) -> dict[str, Any]:
        return {**config, "scores": "\n".join(f"{name}={place}" for name, place in config.get("scores", {}).items())}


class TableForm(MappedForm):
    """Columns, by name. What is left empty has its usual name."""

    settings = tuple(name for name in MappedForm.settings if name not in ("rows", "total"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scores"].help_text = f"{SCORES} Empty: the columns named score or score.METRIC."
        self.fields["location"].help_text = LOCATION.format("csv")


class MlflowForm(SourceForm):
    settings = ("url", "experiment", "case_tag", "metric", "fresh_days")

    url = forms.CharField(label="Address", max_length=500, help_text="Of the tracking server: http://mlflow:5000.")
    experiment = forms.CharField(max_length=250, help_text="Its name. Runs in it carry the tag readiness.release.")
    case_tag = forms.CharField(
        label="Tag of the case", max_length=100, initial="case_id", help_text="Of each trace; it names the case."
    )
    metric = forms.CharField(
        max_length=100, required=False, help_text="The scorer that is judged where the policy names none."
    )
    fresh_days = FreshField()
    secret = SecretField("If the server asks for one. Stored encrypted, never shown again.")
    schedule = forms.ChoiceField(label="Pull", choices=SCHEDULES, required=False)


class PrometheusForm(SourceForm):
    settings = (
        "url", "requests", "latency", "latency_unit", "release_label", "error_label", "error_values", "matchers",
    )  # fmt: skip

    url = forms.CharField(label="Address", max_length=500, help_text="For example http://prometheus:9090.")
    requests = forms.CharField(
        label="Counter of requests", max_length=200, initial="llm_requests_total",
        help_text="It has one label for the release and one for the outcome.",
    )  # fmt: skip
    latency = forms.CharField(
        label="Histogram of latency", max_length=200, initial="llm_request_duration_seconds",
        help_text="Without _bucket. A boundary at the p95 limit makes its judgement exact.",
    )  # fmt: skip
    latency_unit = forms.ChoiceField(label="Its unit", choices=[("s", "Seconds"), ("ms", "Milliseconds")])
    release_label = forms.CharField(label="Label of the release", max_length=100, initial="release")
    error_label = forms.CharField(label="Label of the outcome", max_length=100, initial="outcome")
    error_values = forms.CharField(
        label="Outcomes that are errors", max_length=500, initial="error", help_text="Separated by commas; * may stand."
    )
    matchers = forms.CharField(
        label="Only where", max_length=500, required=False, help_text="Further labels: env=production, job=bot."
    )
    secret = SecretField("If the server asks for one. Stored encrypted, never shown again.")

    def clean_error_values(self) -> list[str]:
        return words(self.cleaned_data["error_values"])

    def clean_matchers(self) -> dict[str, str]:
        pairs = [part.partition("=") for part in words(self.cleaned_data["matchers"])]
        if any(not middle for _, middle, _ in pairs):
            raise forms.ValidationError("Write label=value, separated by commas.")
        return {name.strip(): value.strip().strip('"') for name, _, value in pairs}

    @staticmethod
    def shown(config: dict[str, Any]) -> dict[str, Any]:
        matchers = ", ".join(f"{name}={value}" for name, value in config.get("matchers", {}).items())
        return {**config, "error_values": ", ".join(config.get("error_values", [])), "matchers": matchers}


class TrailForm(SourceForm):
    settings = ("environments",)

    environments = forms.CharField(
        max_length=200, required=False, help_text="Separated by commas. Empty: every environment of the system."
    )

    def clean_environments(self) -> list[str]:
        return words(self.cleaned_data["environments"])

    @staticmethod
    def shown(config: dict[str, Any]) -> dict[str, Any]:
        return {"environments": ", ".join(config.get("environments", []))}


FORMS: dict[str, type[SourceForm]] = {
    Source.Kind.INSPECT_AI: FileForm,
    Source.Kind.PROMPTFOO: FileForm,
    Source.Kind.JUNIT: FileForm,
    Source.Kind.TABLE: TableForm,
    Source.Kind.JSON_HTTP: MappedForm,
    Source.Kind.MLFLOW: MlflowForm,
    Source.Kind.PROMETHEUS: PrometheusForm,
    Source.Kind.TRAIL: TrailForm,
}


class UploadForm(forms.Form):
    tool = forms.ChoiceField(
        choices=[
            (Source.Kind.INSPECT_AI, "Inspect AI"),
            (Source.Kind.PROMPTFOO, "promptfoo"),
            (Source.Kind.JUNIT, "JUnit XML"),
            (Source.Kind.TABLE, "CSV or JSON Lines"),
        ]
    )
    file = forms.FileField(help_text="The log or results file as the tool wrote it. It counts once a second person has confirmed its origin.")  # fmt: skip  # noqa: E501


class MeasureForm(forms.Form):
    release = forms.CharField(label="Release", max_length=100, help_text="Its label, as the metrics carry it.")


class BaselineForm(forms.Form):
    """Which run it is compared with; in the address, so that a comparison can be sent to somebody."""

    baseline = forms.ModelChoiceField(
        EvaluationRun.objects.none(), required=False, label="Compared with", empty_label="Nothing"
    )


def words(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
