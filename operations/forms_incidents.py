"""What people type about incidents and risks. Rules are not here: the actions keep them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms

from accounts.models import User
from operations.forms import members
from operations.models import Incident
from systems.models import System

SCALE = [(n, str(n)) for n in range(1, 6)]


class OwnerForm(forms.Form):
    """A form with a field `owner`: one of the people who hold a role on the system."""

    owner = forms.ModelChoiceField(User.objects.none())

    def __init__(self, *args: Any, system: System, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["owner"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = members(system, now=now)


class IncidentForm(forms.Form):
    title = forms.CharField(max_length=200, help_text="What users notice, in one line.")
    severity = forms.ChoiceField(choices=Incident.Severity.choices)
    minutes = forms.IntegerField(
        label="Began, minutes ago", min_value=0, max_value=7 * 24 * 60, initial=0, help_text="As far as is known now."
    )
    release_label = forms.CharField(label="Release", required=False, max_length=100)
    requests = forms.CharField(
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Ids of requests that show it, one per line.",
    )

    def values(self, now: datetime) -> dict[str, Any]:
        data = dict(self.cleaned_data)
        began = now - timedelta(minutes=data.pop("minutes"))
        return data | {"began_at": began, "requests": data["requests"].split()}


class NoteForm(forms.Form):
    text = forms.CharField(label="What happened", max_length=1000)


class FollowUpForm(OwnerForm):
    text = forms.CharField(label="What has to be done", max_length=500)
    due_on = forms.DateField(label="Due", widget=forms.DateInput(attrs={"type": "date"}))
    field_order = ("text", "owner", "due_on")


class PostMortemForm(forms.Form):
    impact = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}), max_length=10_000, help_text="Who was hit, how, for how long."
    )
    cause = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}), max_length=10_000, help_text="Why it happened. Systems, not people."
    )
    lessons = forms.CharField(
        label="What was learnt",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=10_000,
        help_text="What went well, what did not, what changes.",
    )


class RiskForm(OwnerForm):
    title = forms.CharField(label="Risk", max_length=200)
    likelihood = forms.TypedChoiceField(choices=SCALE, coerce=int, initial=3, help_text="1 hardly ever, 5 any day.")
    impact = forms.TypedChoiceField(choices=SCALE, coerce=int, initial=3, help_text="1 a nuisance, 5 harm.")
    mitigation = forms.CharField(
        label="What is done about it", max_length=4000, widget=forms.Textarea(attrs={"rows": 3})
    )
    review_on = forms.DateField(label="Next look", widget=forms.DateInput(attrs={"type": "date"}))
    items = forms.CharField(
        label="Items", required=False, max_length=1000, help_text="Keys of the standard that guard against it."
    )
    incidents = forms.ModelMultipleChoiceField(
        Incident.objects.none(), required=False, widget=forms.CheckboxSelectMultiple, help_text="In which it came true."
    )
    field_order = ("title", "likelihood", "impact", "mitigation", "owner", "review_on", "items", "incidents")

    def __init__(self, *args: Any, system: System, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, system=system, now=now, **kwargs)
        field = self.fields["incidents"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = Incident.objects.filter(system=system)[:20]
        if not field.queryset:
            del self.fields["incidents"]

    def clean_items(self) -> list[str]:
        return str(self.cleaned_data["items"]).replace(",", " ").split()


def in_days(now: datetime, days: int) -> str:
    return (now.astimezone(UTC) + timedelta(days=days)).date().isoformat()
