"""How durations are read ("42 s", "3 min 20 s", "1 h 05 min"), and amounts of dollars that were frozen as text."""

from datetime import timedelta
from decimal import Decimal

from django import template
from django.utils.safestring import SafeString, mark_safe

register = template.Library()


@register.filter
def lasting(duration: timedelta | None) -> SafeString:
    if duration is None:
        return mark_safe('<span class="muted">unknown</span>')
    seconds = int(duration.total_seconds())
    if seconds < 60:
        text = f"{seconds}&nbsp;s"
    elif seconds < 3600:
        text = f"{seconds // 60}&nbsp;min {seconds % 60:02d}&nbsp;s"
    else:
        text = f"{seconds // 3600}&nbsp;h {seconds // 60 % 60:02d}&nbsp;min"
    return mark_safe(f'<span class="nowrap">{text}</span>')  # noqa: S308 -- digits and units only


@register.filter
def money(dollars: str | Decimal | None) -> str:
    return "unknown" if dollars is None else f"{Decimal(dollars):,.2f}"
