"""What people fill in. Rules are not here: a form reads values, an action decides."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet

from accounts.models import User
from metrics.models import Source
from releases.errors import InvalidInput
from releases.models import Answer, StandardVersion
from releases.standard.load import write
from systems.models import Version
from systems.policy import ReleaseBars

MOST_YAML = 2**20


class OpenForm(forms.Form):
    label = forms.CharField(max_length=60, help_text="Unique in its system, such as 2026.11.2. It never changes.")
    summary = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}), label="What changes")
    ticket_url = forms.URLField(required=False, label="Ticket", assume_scheme="https")
    standard = forms.ModelChoiceField(
        StandardVersion.objects.none(),
        empty_label=None,
        to_field_name="number",
        help_text="What it is measured against. The next release of the system follows the same line.",
    )

    def __init__(self, *args: Any, standards: QuerySet[StandardVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["standard"]
        field.queryset = standards
        field.label_from_instance = lambda version: f"{version.title} {version.number}"


class NewStandardForm(forms.Form):
    line = forms.CharField(max_length=60, help_text="Its versions follow each other under this name: acme-standard.")
    system = forms.CharField(
        required=False, max_length=60, help_text="Id of the one system that may use it. Empty: the whole organisation."
    )
    copy = forms.ModelChoiceField(
        StandardVersion.objects.none(),
        required=False,
        empty_label="Nothing",
        to_field_name="number",
        label="Begin with",
    )
    number = forms.CharField(required=False, max_length=20, help_text="Of the copy: acme-1.")
    file = forms.FileField(required=False, label="Or a YAML file")

    def __init__(self, *args: Any, versions: QuerySet[StandardVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["copy"]
        field.queryset = versions

    def text(self) -> str:
        data = self.cleaned_data
        if uploaded := data["file"]:
            if uploaded.size > MOST_YAML:
                raise InvalidInput("A standard has at most 1 MiB.")
            try:
                return str(uploaded.read().decode("utf-8"))
            except UnicodeDecodeError:
                raise InvalidInput("This file is not UTF-8 text.") from None
        if data["copy"] is None:
            raise InvalidInput("Choose a standard to begin with, or a YAML file.")
        return write({**data["copy"].body, "number": data["number"]})


class DraftForm(forms.Form):
    revision = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    text = forms.CharField(
        label="The standard, as YAML",
        strip=False,
        max_length=MOST_YAML,
        widget=forms.Textarea(attrs={"rows": 28, "class": "code-input", "spellcheck": "false"}),
    )


class AttachForm(forms.Form):
    """One of: a file, a link, a record written here."""

    title = forms.CharField(required=False, max_length=200)
    file = forms.FileField(required=False)
    url = forms.URLField(
        required=False,
        label="Or a link",
        assume_scheme="https",
        help_text="What it answers now is kept, with its digest.",
    )
    text = forms.CharField(required=False, label="Or write a record", widget=forms.Textarea(attrs={"rows": 3}))
    note = forms.CharField(required=False, label="What it shows")
    replace = forms.BooleanField(required=False, label="It replaces what is attached")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if sum(bool(data.get(name)) for name in ("file", "url", "text")) != 1:
            raise forms.ValidationError("Give one of the three: a file, a link, or a record.")
        return data


class CommentForm(forms.Form):
    text = forms.CharField(label="Comment", max_length=5000, widget=forms.Textarea(attrs={"rows": 3}))


class NoteForm(forms.Form):
    reason = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}), label="Note")

    def __init__(self, *args: Any, label: str = "", required: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = required
        self.fields["reason"].label = label or "Note"


def due_at(day: str) -> datetime | None:
    """The last second of a day, as a date field sends it; empty: no date."""
    if not day:
        return None
    try:
        return datetime.combine(date.fromisoformat(day), time(23, 59, 59), UTC)
    except ValueError:
        raise InvalidInput("The due date is a day, such as 2026-12-01.") from None


class AssignForm(forms.Form):
    owner = forms.ModelChoiceField(User.objects.none(), required=False, empty_label="Nobody")
    due = forms.DateField(required=False, label="Due", widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, people: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["owner"]
        field.queryset = User.objects.filter(pk__in=[person.pk for person in people]).order_by("name")


class PinForm(forms.Form):
    version = forms.ModelChoiceField(Version.objects.none(), empty_label=None)

    def __init__(self, *args: Any, component: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["version"]
        field.queryset = component.versions.filter(state__in=[Version.State.APPROVED, Version.State.DEPRECATED])
        field.label = str(component)
        field.label_from_instance = lambda version: f"Version {version.number}, {version.sha256[7:15]}"


class PlanForm(forms.Form):
    """Shares are asked for in percent, as people say them; the plan stores exact shares."""

    source = forms.ModelChoiceField(Source.objects.none(), label="Watched with", empty_label="Choose a source")
    share_percent = forms.DecimalField(
        label="Share of traffic, percent", min_value=Decimal("0.01"), max_value=100, max_digits=5, decimal_places=2
    )
    hours = forms.IntegerField(label="Hours", min_value=1, max_value=720)
    error_percent = forms.DecimalField(
        label="Roll back above this error rate, percent", min_value=0, max_value=100, max_digits=6, decimal_places=3
    )
    p95_ms = forms.IntegerField(label="Roll back above this p95 latency, ms", min_value=1, max_value=3_600_000)

    def __init__(self, *args: Any, system: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["source"]
        watching = [Source.Kind.PROMETHEUS, Source.Kind.TRAIL]
        field.queryset = Source.objects.filter(system=system, retired_at=None, kind__in=watching)

    @staticmethod
    def start(plan: Any, bars: ReleaseBars) -> dict[str, Any]:
        """Values to begin with: the plan's or, before there is one, the policy's."""
        return {
            "source": plan.source_id if plan else None,
            "share_percent": _percent(plan.share if plan else bars.canary_share),
            "hours": plan.hours if plan else bars.canary_hours,
            "error_percent": _percent(plan.error_rate_max if plan else bars.error_rate_max),
            "p95_ms": plan.p95_ms_max if plan else bars.p95_ms_max,
        }


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f}"


class AnswerForm(forms.Form):
    key = forms.CharField(widget=forms.HiddenInput)
    value = forms.ChoiceField(choices=Answer.Value.choices, widget=forms.RadioSelect, label="Answer")
    text = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), label="How you know")
    evidence = forms.TypedChoiceField(
        required=False, coerce=UUID, empty_value=None, label="Backed by", help_text="Evidence that an item has already."
    )

    def __init__(self, *args: Any, evidence: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["evidence"]
        field.choices = [("", "Nothing besides the words"), *evidence]


class TwoFactorForm(forms.Form):
    password = forms.CharField(required=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))
    code = forms.CharField(
        required=False,
        label="One-time code",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class RejectForm(forms.Form):
    side = forms.CharField(widget=forms.HiddenInput)
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), label="Why")


class SealedForm(forms.Form):
    """What was shown, on its way back."""

    statement = forms.CharField(widget=forms.HiddenInput)
    state_digest = forms.CharField(widget=forms.HiddenInput)
