"""What people type on the pages of systems. Rules are not here: the actions keep them, whoever calls."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from django import forms

from accounts.models import User
from audit.contract import IngestProfile
from audit.models import SideEnvironment
from systems.kinds import Area, Kind
from systems.models import System
from systems.policy import Bar, ReleaseBars, RunningLimits
from systems.shapes import example

NOBODY = ("", "Nobody yet")


def _zones() -> list[tuple[str, str]]:
    return [(zone, zone) for zone in sorted(available_timezones())]


class SystemForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="As people call it: Support assistant.")
    description = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 3}), help_text="What it does, for whom."
    )
    time_zone = forms.ChoiceField(choices=_zones, initial="UTC", help_text="Its budget day begins at midnight there.")
    ticket_url_template = forms.CharField(
        label="Ticket address",
        required=False,
        max_length=300,
        help_text="Where releases are tracked; {label} stands for the release: https://tracker.example/{label}",
    )
    has_regulated_data = forms.BooleanField(
        label="It handles regulated data",
        required=False,
        help_text="Health, payment, employment and the like: compliance joins the checklist.",
    )


class DataPolicyForm(forms.Form):
    """Rows of text become lists; everything else is a choice with its meaning beside it."""

    payload_mode = forms.ChoiceField(
        label="Prompts and answers",
        choices=[
            ("redacted", "Kept encrypted, personal data taken out"),
            ("raw", "Kept encrypted, as they came"),
            ("none", "Not kept; a commitment proves what they were"),
        ],
    )
    pii_policy = forms.ChoiceField(
        label="Personal data and secrets",
        choices=[("redact", "Taken out of what is kept"), ("refuse", "The span is refused")],
    )
    denied_fields = forms.CharField(
        label="Denied fields",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Names of attributes that may not be kept, one a line; * stands for anything: customer.*",
    )
    denied_policy = forms.ChoiceField(
        label="A denied field", choices=[("drop", "Is dropped, the span kept"), ("refuse", "The span is refused")]
    )
    prompt_policy = forms.ChoiceField(
        label="A prompt that is not registered",
        choices=[
            ("flag", "Is flagged"),
            ("refuse", "The span is refused"),
            ("require", "The span is refused, and model calls without a prompt hash too"),
        ],
    )
    count_scopes = forms.CharField(
        label="Instrumentations that count",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Where two report the same calls in different traces: whose spans are calls, one a line. Empty: all.",
    )

    def __init__(self, data: Any = None, *, profile: IngestProfile) -> None:
        initial = {name: getattr(profile, name) for name in self.base_fields}
        lines = {name: "\n".join(initial[name]) for name in ("denied_fields", "count_scopes")}
        super().__init__(data, initial={**initial, **lines})

    def clean_denied_fields(self) -> list[str]:
        return list(self.cleaned_data["denied_fields"].split())

    def clean_count_scopes(self) -> list[str]:
        return list(self.cleaned_data["count_scopes"].split())


class NewSystemForm(SystemForm):
    slug = forms.CharField(
        label="Id",
        max_length=60,
        help_text="In every address and label, and for ever the same: lower-case letters, digits and dashes.",
    )

    field_order = ("name", "slug")


class OwnersForm(forms.Form):
    """One choice for each area. Whom nobody is named for shows as a gap, and blocks releases."""

    def __init__(self, *args: Any, people: Iterable[User], areas: list[Area], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._people = {str(user.pk): user for user in people}
        choices = [NOBODY, *((key, f"{user.name} ({user.email})") for key, user in self._people.items())]
        for area in areas:
            label = "Compliance, for regulated data" if area == Area.COMPLIANCE else area.label
            self.fields[f"owner_{area.value}"] = forms.ChoiceField(label=label, choices=choices, required=False)

    def owners(self) -> dict[str, User]:
        named = {area.value: self.cleaned_data.get(f"owner_{area.value}") for area in Area}
        return {area: self._people[key] for area, key in named.items() if key}


def people_for(system: System | None) -> list[User]:
    """Whom one may name: everybody who is here. The demo's people answer for the demo's systems only."""
    people = User.objects.filter(is_active=True).order_by("name", "email")
    if system is None or not system.is_demo:
        people = people.filter(is_demo=False)
    return list(people)


class ComponentForm(forms.Form):
    kind = forms.ChoiceField(choices=Kind.choices)
    name = forms.CharField(max_length=100, help_text="Letters, digits, dots, dashes and underscores: system-prompt.")


class VersionForm(forms.Form):
    """Text or a file. A file is kept byte by byte; typed text gets plain line ends, since browsers rewrite them."""

    text = forms.CharField(
        label="Content",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 16, "class": "code-input", "spellcheck": "false"}),
    )
    file = forms.FileField(label="Or a file", required=False, allow_empty_file=True)
    note = forms.CharField(
        label="What changed, and why",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="The reviewer reads this first.",
    )
    origin = forms.CharField(
        required=False, max_length=500, help_text="Where it comes from: repository, path, commit.", label="Origin"
    )
    tags = forms.CharField(required=False, max_length=1000, help_text="For the whole set, separated by commas.")
    external_hashes = forms.CharField(
        required=False, max_length=2000, help_text="By which other tools know it: sha256:..., separated by commas."
    )
    cases = forms.IntegerField(
        required=False, min_value=1, help_text="Only where it is neither JSON Lines, a JSON list nor CSV."
    )

    def __init__(self, *args: Any, kind: str, newest: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if kind == Kind.DATASET:
            del self.fields["text"]
            self.fields["file"].label = "File"
        else:
            self.fields["text"].initial = newest or example(kind)
            for name in ("tags", "external_hashes", "cases"):
                del self.fields[name]

    def content(self) -> bytes:
        if uploaded := self.cleaned_data.get("file"):
            data: bytes = uploaded.read()
            return data
        text: str = self.cleaned_data.get("text", "")
        return text.replace("\r\n", "\n").encode()

    def meta(self) -> dict[str, Any]:
        data = self.cleaned_data
        found: dict[str, Any] = {"origin": data["origin"], "cases": data.get("cases")}
        for name in ("tags", "external_hashes"):
            found[name] = [part.strip() for part in data.get(name, "").split(",") if part.strip()]
        return {name: value for name, value in found.items() if value}


class ReviewForm(forms.Form):
    note = forms.CharField(
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What you looked at. Needed when you send it back.",
    )


class CompatibilityForm(forms.Form):
    text = forms.CharField(
        label="What others have to change, and how", max_length=4000, widget=forms.Textarea(attrs={"rows": 3})
    )
    window_days = forms.IntegerField(
        label="Deprecation window, days",
        min_value=1,
        max_value=730,
        help_text="So long the version before still counts: it cannot be retired earlier.",
    )


class ConsumerForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="The service or team that builds on it: billing-service.")
    contact = forms.ModelChoiceField(
        User.objects.none(),
        required=False,
        empty_label="Nobody here",
        help_text="Acknowledges each new version for them.",
    )
    reached_at = forms.CharField(
        required=False, max_length=200, label="Reached at", help_text="A channel or an address, for those outside."
    )

    def __init__(self, *args: Any, people: Iterable[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["contact"]
        field.queryset = User.objects.filter(pk__in=[user.pk for user in people]).order_by("name")


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))


class PolicyForm(forms.Form):
    """One field for each threshold of a part, and the reason. Numbers stay text: they are exact decimals."""

    def __init__(self, *args: Any, part: type[ReleaseBars] | type[RunningLimits], body: Mapping[str, Any], **kw: Any):
        super().__init__(*args, **kw)
        self._part = part
        for name, bar in part.bars().items():
            self.fields[name] = _field(bar, getattr(part(), name), body.get(name))
        self.fields["reason"] = forms.CharField(
            label="Why it changes",
            max_length=2000,
            widget=forms.Textarea(attrs={"rows": 3}),
            help_text="It stands beside the policy for good.",
        )

    def body(self) -> dict[str, Any]:
        """Strings for decimals, numbers for counts: as `parse` wants them."""
        found = {}
        for name in self._part.bars():
            value, shipped = self.cleaned_data[name], getattr(self._part(), name)
            found[name] = value.strip() if isinstance(shipped, Decimal) else value
        return found


# "Cost spike: times the median" says its unit already; a share is typed as one.
_SAID = ("times", "index")
_UNITS = {"share": "0 to 1"}


def _field(bar: Bar, shipped: Any, current: Any) -> forms.Field:
    unit = f" ({_UNITS.get(bar.unit, bar.unit)})" if bar.unit and bar.unit not in _SAID else ""
    about: dict[str, Any] = {"label": f"{bar.label}{unit}", "initial": current, "help_text": bar.why}
    if isinstance(shipped, bool):
        return forms.BooleanField(required=False, **about)
    if bar.text is not None:
        area = forms.Textarea(attrs={"rows": 3, "class": "code-input", "spellcheck": "false"})
        return forms.CharField(required=False, max_length=4000, widget=area, **about)
    if bar.choices:
        return forms.ChoiceField(choices=[(choice, choice) for choice in bar.choices], **about)
    if isinstance(shipped, int):
        return forms.IntegerField(**about)
    return forms.CharField(max_length=30, widget=forms.TextInput(attrs={"inputmode": "decimal"}), **about)


class EnvironmentForm(forms.Form):
    name = forms.SlugField(label="Environment", max_length=40, help_text="As its ingest token names it: shadow.")
    kind = forms.ChoiceField(choices=SideEnvironment.Kind.choices)
    daily_requests = forms.IntegerField(
        label="Requests a day, at most", min_value=1, max_value=1_000_000,
        help_text="With more than that in a day, it counts as production again.",
    )  # fmt: skip
    reason = forms.CharField(label="What it is for", max_length=500, widget=forms.Textarea(attrs={"rows": 2}))
