"""What people type about sources. What it means is checked by the action; here it only becomes settings."""

from typing import Any

from django import forms

from metrics.models import EvaluationRun, Source

BY_HAND = ""
SCHEDULES = [(BY_HAND, "Only when asked"), ("300", "Every 5 minutes"), ("3600", "Every hour"), ("86400", "Every day")]


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


class FileForm(SourceForm):
    settings = ("location",)

    location = forms.CharField(
        max_length=500,
        help_text="A path inside the evaluation folder, or an address. {release} stands for the release's label: "
        "support-bot/{release}/*.json. The newest file that matches is read.",
    )
    secret = SecretField("Sent to the address, if it needs one. Stored encrypted, never shown again.")
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
    Source.Kind.PROMETHEUS: PrometheusForm,
    Source.Kind.TRAIL: TrailForm,
}


class UploadForm(forms.Form):
    tool = forms.ChoiceField(choices=[(Source.Kind.INSPECT_AI, "Inspect AI"), (Source.Kind.PROMPTFOO, "promptfoo")])
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
