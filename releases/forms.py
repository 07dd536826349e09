"""What people fill in. Rules are not here: a form reads values, an action decides."""

import re
from collections.abc import Collection
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet

from accounts.models import User
from metrics.models import Source
from releases.errors import InvalidInput
from releases.models import Answer, Rollout, StandardVersion
from releases.records import MOST_CHARS, RecordKind
from releases.records import Field as RecordField
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
    """A file or a link, as far as the item takes them. Records have forms of their own."""

    title = forms.CharField(required=False, max_length=200)
    file = forms.FileField(required=False)
    url = forms.URLField(
        required=False,
        label="Or a link",
        assume_scheme="https",
        help_text="What it answers now is kept, with its digest.",
    )
    note = forms.CharField(required=False, label="What it shows")
    replace = forms.BooleanField(required=False, label="It replaces what is attached")

    def __init__(self, *args: Any, accepts: Collection[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, kind in (("file", "file"), ("url", "link")):
            if kind not in accepts:
                del self.fields[name]
        if "file" not in self.fields and "url" in self.fields:
            self.fields["url"].label = "Link"

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if sum(bool(data.get(name)) for name in ("file", "url")) != 1:
            raise forms.ValidationError("Give one of the two: a file, or a link.")
        return data


class RecordForm(forms.Form):
    """The fields of one kind of record (releases/records.py)."""

    def __init__(self, *args: Any, kind: RecordKind, **kwargs: Any) -> None:
        kwargs["auto_id"] = f"id_{kind.key.replace('.', '-')}_%s"
        super().__init__(*args, **kwargs)
        self.fields["record"] = forms.CharField(initial=kind.key, widget=forms.HiddenInput)
        for field in kind.fields:
            self.fields[field.name] = _record_field(field)
        self.fields["replace"] = forms.BooleanField(required=False, label="It replaces what is attached")

    def values(self) -> dict[str, str]:
        beside = ("record", "replace")
        return {name: str(value) for name, value in self.cleaned_data.items() if value and name not in beside}


def _record_field(field: RecordField) -> forms.Field:
    about: dict[str, Any] = {"label": field.label, "required": field.required}
    match field.kind:
        case "words":
            return forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), max_length=MOST_CHARS, **about)
        case "day":
            return forms.DateField(widget=forms.DateInput(attrs={"type": "date"}), **about)
        case "choice":
            choices = [("", "Choose"), *((one, one.capitalize()) for one in field.choices)]
            return forms.ChoiceField(choices=choices, **about)
    return forms.CharField(max_length=500, **about)


class _JsonOrNothing(forms.JSONField):
    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)  # not the word null


class ProbeForm(forms.Form):
    url = forms.URLField(
        max_length=2000, label="Staging address", assume_scheme="https", help_text="Takes an input by POST."
    )
    example = _JsonOrNothing(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="An input that fits",
        help_text="As JSON. Left out: made from the pinned schema.",
    )
    headers = forms.CharField(
        required=False,
        max_length=8000,
        widget=forms.Textarea(attrs={"rows": 2, "autocomplete": "off"}),
        label="Headers",
        help_text="Such as Authorization: Bearer ..., one a line. Sent along, never recorded.",
    )

    def clean_headers(self) -> dict[str, str]:
        lines = [line for line in self.cleaned_data["headers"].splitlines() if line.strip()]
        pairs = [line.partition(":") for line in lines]
        if any(not name.strip() or not colon for name, colon, _ in pairs):
            raise forms.ValidationError("Each line is a name, a colon and a value.")
        return {name.strip(): value.strip() for name, _, value in pairs}


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


STEP = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%?\s*for\s+(\d+)\s*h?(?:ours?)?\s*", re.IGNORECASE)


class PlanForm(forms.Form):
    """Shares are asked for in percent, as people say them; the plan stores exact shares."""

    strategy = forms.ChoiceField(choices=Rollout.Strategy.choices, widget=forms.RadioSelect)
    source = forms.ModelChoiceField(Source.objects.none(), label="Watched with", empty_label="Choose a source")
    share_percent = forms.DecimalField(
        label="Share of traffic, percent", min_value=Decimal("0.01"), max_value=100, max_digits=5, decimal_places=2
    )
    hours = forms.IntegerField(label="Hours", min_value=1, max_value=720)
    steps = forms.CharField(
        label="Smaller shares first", required=False, max_length=300,
        help_text="Percent and covered hours, in order: 1 for 2, 5 for 4. The planned share takes the other hours.",
    )  # fmt: skip
    error_percent = forms.DecimalField(
        label="Roll back above this error rate, percent", min_value=0, max_value=100, max_digits=6, decimal_places=3
    )
    p95_ms = forms.IntegerField(label="Roll back above this p95 latency, ms", min_value=1, max_value=3_600_000)
    shadow_source = forms.ModelChoiceField(
        Source.objects.none(), label="Shadow watched with", required=False, empty_label="No shadow run",
        help_text="A source of the environment that gets a copy of the requests.",
    )  # fmt: skip
    shadow_hours = forms.IntegerField(label="Hours in the shadow", required=False, min_value=1, max_value=720)

    def __init__(self, *args: Any, system: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        watching = [Source.Kind.PROMETHEUS, Source.Kind.TRAIL]
        for name in ("source", "shadow_source"):
            field: Any = self.fields[name]
            field.queryset = Source.objects.filter(system=system, retired_at=None, kind__in=watching)

    def clean_steps(self) -> list[tuple[Decimal, int]]:
        written = [part for part in re.split(r"[,;\n]", self.cleaned_data["steps"]) if part.strip()]
        read = [STEP.fullmatch(part) for part in written]
        if not all(read):
            raise forms.ValidationError("Write percent and hours, as in: 1 for 2, 5 for 4.")
        return [(Decimal(found[1]) / 100, int(found[2])) for found in read if found]

    def plan(self) -> dict[str, Any]:
        """What `opening.plan_rollout` asks for."""
        data = self.cleaned_data
        return {
            "strategy": data["strategy"],
            "source": data["source"],
            "share": data["share_percent"] / 100,
            "hours": data["hours"],
            "steps": data["steps"],
            "error_rate_max": data["error_percent"] / 100,
            "p95_ms_max": data["p95_ms"],
            "shadow_source": data["shadow_source"],
            "shadow_hours": data["shadow_hours"],
        }

    @staticmethod
    def start(plan: Any, bars: ReleaseBars) -> dict[str, Any]:
        """Values to begin with: the plan's or, before there is one, the policy's."""
        return {
            "strategy": plan.strategy if plan else Rollout.Strategy.CANARY,
            "source": plan.source_id if plan else None,
            "steps": ", ".join(f"{_percent(Decimal(share))} for {held}" for share, held in plan.steps) if plan else "",
            "shadow_source": plan.shadow_source_id if plan else None,
            "shadow_hours": plan.shadow_hours if plan else None,
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
