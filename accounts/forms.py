"""Forms of the accounts pages. They read what was typed; whether it is allowed, the actions say."""

from datetime import UTC, datetime, time
from typing import Any

from django import forms

from accounts.models import ApiToken, User
from accounts.roles import Role

_END_OF_DAY = time(23, 59, 59)


def end_of_day(value: Any) -> datetime | None:
    """A date stands for its end, UTC: a role until Friday is a role on Friday."""
    return datetime.combine(value, _END_OF_DAY, UTC) if value else None


class DateInput(forms.DateInput):
    input_type = "date"


class SetupForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="Your full name, as it stands on what you sign.")
    email = forms.EmailField(label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "username"}))
    password = forms.CharField(
        strip=False,
        help_text="At least 12 characters.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class InviteForm(forms.Form):
    name = forms.CharField(max_length=120)
    email = forms.EmailField(label="E-mail address")


class NameForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="As it stands on what you sign.")


class GrantForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)
    system = forms.SlugField(max_length=60, required=False, help_text="The system's id. Empty: the whole organisation.")
    until = forms.DateField(required=False, widget=DateInput, help_text="For a stand-in.")


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=300, help_text="It stands in the record.")


class TokenForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="What uses it: “CI of support-bot”.")
    owner = forms.ModelChoiceField(
        User.objects.none(), help_text="It writes as this person, who then cannot verify what it wrote."
    )
    scopes = forms.MultipleChoiceField(choices=ApiToken.Scope.choices, widget=forms.CheckboxSelectMultiple)
    system = forms.SlugField(max_length=60, required=False, help_text="Empty: every system that its owner may see.")
    environment = forms.SlugField(max_length=40, required=False, help_text="For traces: production, staging, ...")
    until = forms.DateField(label="Expires", required=False, widget=DateInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        owner = self.fields["owner"]
        assert isinstance(owner, forms.ModelChoiceField)
        owner.queryset = User.objects.filter(is_active=True).order_by("name")
