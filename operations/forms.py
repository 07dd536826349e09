"""What people type on the pages of operations. Rules are not here: the actions keep them, whoever calls."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.db.models import QuerySet

from accounts.models import User
from accounts.queries import holders
from accounts.roles import Role
from operations import chat
from operations.models import (
    Channel,
    DegradationPlan,
    Drill,
    Feedback,
    MailPreference,
    Review,
    RosterLine,
    RunbookVersion,
    StatusChange,
)
from operations.presenters import CHOICES
from operations.queries import channels_for, newest_versions
from operations.rules import EXPIRING
from systems.models import System

# How long a degraded mode may last, as a person thinks of it.
SPANS = [("1", "1 hour"), ("4", "4 hours"), ("24", "1 day"), ("72", "3 days"), ("168", "7 days")]


def members(system: System, *, now: datetime) -> QuerySet[User]:
    """Whoever holds a role on the system: who can be asked to do something about it."""
    found = {user.pk for role in Role.values for user in holders(role, system=system.slug, now=now)}
    return User.objects.filter(pk__in=found).order_by("name")


def _people(form: forms.Form, name: str, people: QuerySet[User]) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ModelChoiceField)
    field.queryset = people


class ChannelForm(forms.Form):
    name = forms.CharField(max_length=80, help_text="As people call it: on-call mailbox, incident bot.")
    kind = forms.ChoiceField(choices=Channel.Kind.choices)
    target = forms.CharField(label="Address", max_length=500)
    topics = forms.MultipleChoiceField(
        choices=CHOICES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: it hears of everything.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_up = ", ".join(chat.targets()) or "none yet, see READINESS_CHAT_TARGETS"
        self.fields[
            "target"
        ].help_text = f"An e-mail address, the URL of a webhook, or the name of a chat or pager ({set_up})."


class FreezeForm(forms.Form):
    reason = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
        help_text="What is wrong, in words that a release author understands.",
    )


class MitigationForm(forms.Form):
    text = forms.CharField(label="What was done", widget=forms.Textarea(attrs={"rows": 3}), max_length=4000)
    release_label = forms.CharField(
        label="Release that is the fix", required=False, max_length=100, help_text="The freeze spares it."
    )


class ConfirmForm(forms.Form):
    side = forms.ChoiceField(choices=[("engineering", "Engineering"), ("operations", "Operations")])
    seen = forms.CharField(widget=forms.HiddenInput)


class StatusForm(forms.Form):
    status = forms.ChoiceField(choices=StatusChange.Status.choices)
    step = forms.TypedChoiceField(
        label="Step of the plan", required=False, coerce=int, empty_value=None,
        help_text="It says itself what callers are told.",
    )  # fmt: skip
    hours = forms.ChoiceField(
        label="For", choices=SPANS, initial="4", help_text="Degraded and fallback end by themselves; a stop does not."
    )
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), max_length=2000)

    def __init__(self, *args: Any, plan: DegradationPlan | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        steps = dict(enumerate(plan.steps if plan else (), start=1))
        self.statuses = {number: step["status"] for number, step in steps.items()}
        field = self.fields["step"]
        assert isinstance(field, forms.ChoiceField)
        named = [(number, f"{number}: {step['do']} ({step['status']})") for number, step in steps.items()]
        field.choices = [("", "No step"), *named]

    def clean(self) -> dict[str, Any]:
        """A step says the status."""
        given = super().clean() or self.cleaned_data
        if given.get("step"):
            given["status"] = self.statuses[given["step"]]
        return given

    def expires_at(self, now: datetime) -> datetime | None:
        if self.cleaned_data["status"] not in EXPIRING:
            return None
        return now + timedelta(hours=int(self.cleaned_data["hours"]))


class DrillForm(forms.Form):
    kind = forms.ChoiceField(choices=Drill.Kind.choices)
    environment = forms.SlugField(max_length=40, initial="staging")
    release_label = forms.CharField(label="Release", required=False, max_length=100)
    plan = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=4000,
        help_text="What will be broken, and what must happen.",
    )
    scheduled_for = forms.DateField(
        label="On", required=False, widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Whoever takes part is reminded two days before.",
    )  # fmt: skip
    runbook = forms.ModelChoiceField(
        RunbookVersion.objects.none(),
        required=False,
        help_text="The one that is followed: passed, it counts as tested.",
    )
    by_product = forms.BooleanField(
        label="The product runs it", required=False,
        help_text="Budget alarm and rollback: synthetic requests in staging, times by the product.",
    )  # fmt: skip
    hook = forms.ModelChoiceField(
        Channel.objects.none(), label="Webhook of the deploy system", required=False,
        help_text="For a rollback that the product runs: it is told what to restore, and confirms.",
    )  # fmt: skip
    participants = forms.ModelMultipleChoiceField(
        User.objects.none(), required=False, widget=forms.CheckboxSelectMultiple, help_text="You take part anyway."
    )

    def __init__(self, *args: Any, system: System, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _people(self, "participants", members(system, now=now))
        hooks = channels_for(system).filter(kind=Channel.Kind.WEBHOOK, state=Channel.State.ACTIVE)
        for name, found in (("runbook", newest_versions(system)), ("hook", hooks)):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = found


class MomentForm(forms.Form):
    text = forms.CharField(label="What happened", max_length=500)


class EndForm(forms.Form):
    outcome = forms.ChoiceField(choices=Drill.Outcome.choices, widget=forms.RadioSelect)
    log = forms.CharField(label="What was learnt", widget=forms.Textarea(attrs={"rows": 4}), max_length=20_000)
    evidence = forms.FileField(required=False, help_text="A recording, an export, a chart.")

    def __init__(self, *args: Any, by_product: bool = False, **kwargs: Any) -> None:
        """What the product runs, people can only break off."""
        super().__init__(*args, **kwargs)
        if by_product:
            field = self.fields["outcome"]
            assert isinstance(field, forms.ChoiceField)
            field.choices, field.initial = [(Drill.Outcome.FAILED, Drill.Outcome.FAILED.label)], Drill.Outcome.FAILED


class ReviewForm(forms.Form):
    outcome = forms.ChoiceField(choices=Review.Outcome.choices, widget=forms.RadioSelect)
    findings = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 5}),
        max_length=20_000,
        help_text="What the numbers say, what was decided, and who does it.",
    )


class LineForm(forms.Form):
    decision = forms.ChoiceField(choices=RosterLine.Decision.choices)
    reason = forms.CharField(required=False, max_length=500)


class FeedbackForm(forms.Form):
    rating = forms.ChoiceField(choices=Feedback.Rating.choices, widget=forms.RadioSelect)
    request_id = forms.CharField(
        label="Request",
        required=False,
        max_length=200,
        help_text="The id that the user quotes.",
    )
    release_label = forms.CharField(label="Release", required=False, max_length=100)
    text = forms.CharField(
        label="What the user said", required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 3})
    )


class MailForm(forms.Form):
    mode = forms.ChoiceField(choices=MailPreference.Mode.choices, widget=forms.RadioSelect, label="E-mail me")
