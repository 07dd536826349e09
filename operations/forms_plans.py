"""What people type about runbooks, the degradation plan and budgets. Rules are not here: the actions keep them."""

from decimal import Decimal

from django import forms

from operations.forms_incidents import OwnerForm
from operations.models import Runbook, StatusChange

STATUSES = {"degraded", "fallback", "stopped"}


class RunbookForm(forms.Form):
    title = forms.CharField(max_length=120)
    kind = forms.ChoiceField(choices=Runbook.Kind.choices)
    text = forms.CharField(widget=forms.Textarea(attrs={"rows": 22, "class": "mono"}), help_text="Markdown.")
    note = forms.CharField(label="What changed", required=False, max_length=200)


class PlanForm(forms.Form):
    """Steps, one per line: what is done | how it is taken back | what callers are told."""

    steps = forms.CharField(
        widget=forms.Textarea(
            attrs={"rows": 6, "placeholder": "Leave out follow-up questions | Switch the flag back | degraded"}
        ),
        max_length=8000,
        help_text="One per line, mildest first: what is done | how it is taken back | degraded, fallback or stopped.",
    )

    def clean_steps(self) -> list[dict[str, str]]:
        found = []
        for number, line in enumerate(filter(None, map(str.strip, self.cleaned_data["steps"].splitlines())), start=1):
            parts = [part.strip() for part in line.split("|")]
            if len(parts) != 3 or parts[2].lower() not in STATUSES or not all(parts):
                raise forms.ValidationError(
                    f"Line {number} has three parts, with | between them; the last is degraded, fallback or stopped."
                )
            found.append({"do": parts[0], "undo": parts[1], "status": StatusChange.Status(parts[2].lower())})
        return found


def plan_text(steps: list[dict[str, str]]) -> str:
    return "\n".join(f"{step['do']} | {step['undo']} | {step['status']}" for step in steps)


class TenantBudgetForm(OwnerForm):
    tenant = forms.CharField(max_length=100, help_text="As its requests name it.")
    cap_usd = forms.DecimalField(label="Daily cap, USD", min_value=Decimal("0.01"), decimal_places=2, max_digits=12)
    alert_usd = forms.DecimalField(label="Alert at, USD", min_value=Decimal("0.01"), decimal_places=2, max_digits=12)
    field_order = ("tenant", "cap_usd", "alert_usd", "owner")


class CalculatorForm(forms.Form):
    """Average tokens times requests times price, and a buffer on top."""

    requests_per_day = forms.DecimalField(min_value=0, max_digits=14, decimal_places=2)
    tokens_in = forms.DecimalField(label="Input tokens per request", min_value=0, max_digits=12, decimal_places=2)
    tokens_out = forms.DecimalField(label="Output tokens per request", min_value=0, max_digits=12, decimal_places=2)
    price_in = forms.DecimalField(label="USD per million input tokens", min_value=0, max_digits=12, decimal_places=4)
    price_out = forms.DecimalField(label="USD per million output tokens", min_value=0, max_digits=12, decimal_places=4)
    buffer = forms.TypedChoiceField(
        choices=[("0.10", "10 %"), ("0.15", "15 %"), ("0.20", "20 %")], coerce=Decimal, initial="0.20"
    )
