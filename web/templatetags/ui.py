"""The small pieces that every template uses: icons, pills, times, digests, money, meters. Shown on /components."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import count
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from lucide.templatetags.lucide import lucide

from web.diffs import diff as compare
from web.statuses import Status, status_of, urgency

register = template.Library()
_ids = count(1)

UNKNOWN = format_html('<span class="muted">{}</span>', "unknown")  # a missing number is said, never shown as nothing
NBSP = "\u00a0"
NANO = Decimal(1_000_000_000)


@register.simple_tag
def icon(name: str, size: int = 16, label: str = "", **attributes: Any) -> str:
    """A lucide icon, inline. It is decoration (the word beside it speaks) unless it has a label."""
    return _drawn(name, size, label, **attributes)


@lru_cache(maxsize=2048)
def _drawn(name: str, size: int, label: str, **attributes: Any) -> str:
    """Kept: lucide copies a tree for each icon, which was a quarter of the time that a long checklist took."""
    classes = f"icon {attributes.pop('class', '')}".strip()
    if label:
        return lucide(name, size=size, role="img", aria_label=label, **{"class": classes, **attributes})
    return lucide(name, size=size, aria_hidden="true", **{"class": classes, **attributes})


@register.simple_tag
def pill(status: Any, word: str = "") -> SafeString:
    """Status as icon and word. `word` says it more exactly ("Lapses in 3 days") and leaves tone and icon alone."""
    return _pill(status_of(status), word)


@lru_cache(maxsize=512, typed=True)  # typed: a word that is safe as it is and one that is not are two
def _pill(found: Status, word: str) -> SafeString:
    """Kept: a long checklist draws the same few two hundred times."""
    return format_html(
        '<span class="pill" data-tone="{}" data-status="{}" data-sure="{}">{}<span>{}</span></span>',
        found.tone,
        found.key,
        "yes" if found.sure else "no",
        icon(found.icon, 13),
        word or found.word,
    )


@register.simple_tag
def kept(part: str, facts: Mapping[str, Any] | None = None, *, several: bool = False) -> str:
    """A part of a page that looks the same whenever its facts do: drawn once for them, and kept.

    Most rows of a checklist are as they were when the page was last asked for; drawing two hundred took half its time.
    Facts are plain values. A time among them is in the key as it reads now ("in 3 days").
    """
    facts, now = facts or {}, timezone.now()
    times = tuple(relative(fact, now) for fact in facts.values() if isinstance(fact, datetime))
    return _kept(part, tuple(facts.items()), bool(several), times)


@lru_cache(maxsize=8192)
def _kept(part: str, facts: tuple[tuple[str, Any], ...], several: bool, times: tuple[str, ...]) -> str:
    return render_to_string(part, {"item": dict(facts), "several": several})


@register.filter
def tone(status: Any) -> str:
    return status_of(status).tone


@register.filter
def status_icon(status: Any) -> str:
    return icon(status_of(status).icon, 16)


@register.filter
def status_word(status: Any) -> str:
    return status_of(status).word


# --- Times ---

_STEPS = ((60, "second"), (60, "minute"), (24, "hour"), (7, "day"), (4.35, "week"), (12, "month"), (10**6, "year"))


def relative(moment: datetime, now: datetime) -> str:
    """ "4 minutes ago", "in 3 hours": the same words as the browser's clock keeps true later (static/js/app.js)."""
    seconds = (moment - now).total_seconds()
    if abs(seconds) < 45:
        return "in a moment" if seconds > 0 else "just now"
    amount = abs(seconds)
    steps = iter(_STEPS)
    size, unit = next(steps)
    while round(amount) >= size:
        amount /= size
        size, unit = next(steps)
    whole = round(amount)
    if unit == "day" and whole == 1:
        return "tomorrow" if seconds > 0 else "yesterday"
    words = f"{whole} {unit}{'s' if whole != 1 else ''}"
    if whole == 1 and unit in ("week", "month", "year"):
        return f"next {unit}" if seconds > 0 else f"last {unit}"
    return f"in {words}" if seconds > 0 else f"{words} ago"


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


@register.filter
def when(moment: datetime | None) -> str:
    """Relative time; the absolute one (UTC) on hover, in print and for machines."""
    if moment is None:
        return UNKNOWN
    return format_html(
        '<time datetime="{}" title="{}" data-when>{}</time>',
        moment.isoformat(),
        _stamp(moment),
        relative(moment, timezone.now()),
    )


@register.filter
def stamp(moment: datetime | None) -> str:
    """Absolute time first, for the ledger and whatever is evidence; the relative one on hover."""
    if moment is None:
        return UNKNOWN
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', moment.isoformat(), relative(moment, timezone.now()), _stamp(moment)
    )


# --- Digests, numbers, money ---


@register.filter
def digest(value: str | None, length: int = 8) -> str:
    """A digest or id, shortened to its ends, with the whole of it on hover, in print and on the clipboard."""
    return _digest(str(value), length) if value else UNKNOWN


@lru_cache(maxsize=4096, typed=True)
def _digest(value: str, length: int) -> str:
    """Kept: the spans of a request name their parent, the rows of a list the same few hashes."""
    body = value.split(":", 1)[-1]
    short = body if len(body) <= length + 5 else f"{body[:length]}…{body[-4:]}"
    return format_html(
        '<span class="digest"><code title="{0}" data-full="{0}">{1}</code>{2}</span>', value, short, copy_button(value)
    )


@register.simple_tag
def copy_button(text: str = "", label: str = "Copy") -> SafeString:
    """Copies `text`; without one, what the code or text area beside it holds."""
    return format_html(
        '<button type="button" class="copy" data-copy="{}" aria-label="{}" title="{}">{}{}</button>',
        text,
        f"{label} {text[:24]}".strip() if text else label,
        label,
        icon("copy", 14, **{"class": "todo"}),
        icon("check", 14, **{"class": "done"}),
    )


@register.filter
def usd(nano: int | None) -> str:
    """Nano-dollars as dollars: two places from one dollar on, else four significant digits; the exact sum on hover."""
    if nano is None:
        return UNKNOWN
    exact = Decimal(nano) / NANO
    if abs(exact) >= 1 or exact == 0:
        shown = f"{exact:,.2f}"
    else:
        places = max(2, 3 - exact.adjusted())
        shown = f"{exact:.{places}f}"
        shown = shown.rstrip("0").ljust(4, "0") if "." in shown else shown
    shown = f"-${shown[1:]}" if shown.startswith("-") else f"${shown}"
    return format_html('<span class="nowrap" title="${} exactly">{}</span>', f"{exact:f}", shown)


@register.filter
def percent(share: Decimal | float | str | None, places: int = 2) -> str:
    """A share (0.9931) as "99.31 %"; trailing zeros go, so that 1 % reads as 1 %."""
    if share is None or share == "":
        return UNKNOWN
    text = f"{Decimal(str(share)) * 100:.{places}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{text}{NBSP}%"


@register.filter
def number(value: Any) -> str:
    return UNKNOWN if value is None else f"{value:,}"


@register.filter
def ms(value: Any) -> str:
    """Milliseconds: "842 ms", from ten seconds on "12.4 s"."""
    if value is None:
        return UNKNOWN
    value = Decimal(str(value))
    return f"{value / 1000:.1f}{NBSP}s" if value >= 10_000 else f"{value:,.0f}{NBSP}ms"


@register.filter
def chance(value: Decimal | float | str | None) -> str:
    """A p-value with four places. What is smaller is said to be smaller: a chance is never zero."""
    if value is None:
        return UNKNOWN
    value = Decimal(str(value))
    return f"<{NBSP}0.0001" if value < Decimal("0.0001") else f"{value.quantize(Decimal('0.0001')).normalize():f}"


# --- Parts with a template of their own ---


@register.simple_tag
def button(
    label: str,
    href: str = "",
    kind: str = "",
    icon: str = "",
    key: str = "",
    reason: str = "",
    show_reason: bool = False,
    dialog: str = "",
    type: str = "submit",
    name: str = "",
    value: str = "",
    confirm: str = "",
    form: str = "",
    small: bool = False,
) -> str:
    """A button or link that looks like one. With `reason` it is blocked, stays reachable, and tells why."""
    facts = locals()
    if reason:
        return render_to_string("components/button.html", {**facts, "id": f"b{next(_ids)}"})
    return _button(**facts)


@lru_cache(maxsize=1024, typed=True)
def _button(**facts: Any) -> str:
    """Kept: every page draws the same few."""
    return render_to_string("components/button.html", facts)


_METER = ("ok", "hold", "info", "warn", "bad", "idle")


@register.inclusion_tag("components/meter.html")
def meter(counts: Mapping[str, int] | Iterable[tuple[str, int]], key: bool = False) -> dict[str, Any]:
    """How many stand where, as one bar, the good ones first on every page. `counts`: status -> number."""
    pairs = [(status_of(name), n) for name, n in (counts.items() if isinstance(counts, Mapping) else counts) if n]
    pairs.sort(key=lambda pair: _METER.index(pair[0].tone))
    total = sum(n for _, n in pairs)
    parts, at = [], Decimal(0)
    for status, n in pairs:
        share = Decimal(n) * 100 / total
        parts.append({"status": status, "n": n, "x": f"{at:.3f}", "width": f"{share:.3f}"})
        at += share
    said = ", ".join(f"{n} {status.word.lower()}" for status, n in pairs) or "nothing yet"
    return {"parts": parts, "total": total, "said": said, "key": key}


FEW = 8  # so many reasons are shown one by one, whatever they are
ALIKE = 3  # of more than these with one status, the rest being many, one line speaks for all


@register.simple_tag
def grouped(reasons: Iterable[Any]) -> dict[str, list[Any]]:
    """Reasons for the verdict's banner, most urgent first: `open` ones, and `folded` groups of many alike."""
    ordered = sorted(reasons, key=lambda reason: urgency(_field(reason, "status", "blocked")))
    if len(ordered) <= FEW:
        return {"open": ordered, "folded": []}
    groups: dict[str, list[Any]] = {}
    for reason in ordered:
        groups.setdefault(status_of(_field(reason, "status", "blocked")).key, []).append(reason)
    return {
        "open": [reason for alike in groups.values() if len(alike) <= ALIKE for reason in alike],
        "folded": [
            {
                "status": key,
                "reasons": alike,
                "who": ", ".join(dict.fromkeys(str(_field(one, "who", "")) for one in alike)),
            }
            for key, alike in groups.items()
            if len(alike) > ALIKE
        ],
    }


def _field(thing: Any, name: str, default: str) -> Any:
    return (thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)) or default


@register.inclusion_tag("components/strip.html")
def strip(cells: Sequence[tuple[str, str]], label: str) -> dict[str, Any]:
    """Equal cells in a row, one for each hour or day: (status, what it says). Shows gaps and breaches at a glance."""
    width = Decimal(100) / max(1, len(cells))
    parts = [
        {"tone": status_of(status).tone, "status": status, "said": said, "x": f"{width * index:.3f}"}
        for index, (status, said) in enumerate(cells)
    ]
    return {"parts": parts, "width": f"{width:.3f}", "label": label}


@register.inclusion_tag("components/sparkline.html")
def sparkline(
    values: Sequence[float | Decimal | None],
    limit: float | Decimal | None = None,
    label: str = "",
    width: int = 96,
    height: int = 24,
) -> dict[str, Any]:
    """A small line, drawn on the server. None in `values` is a gap; `limit` is a dashed line."""
    limit = None if limit in (None, "") else limit  # a template's missing variable arrives as ""
    known = [float(v) for v in values if v is not None] + ([float(limit)] if limit is not None else [])
    top = max(known, default=1.0) * 1.08 or 1.0

    def y(value: float | Decimal) -> str:
        return f"{height - 1 - float(value) / top * (height - 2):.1f}"

    lines: list[list[str]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            lines.append([])
        else:
            lines[-1].append(f"{index * width / max(1, len(values) - 1):.1f},{y(value)}")
    return {
        "lines": [" ".join(points) for points in lines if points],
        "limit": y(limit) if limit is not None else None,
        "label": label,
        "width": width,
        "height": height,
    }


@register.inclusion_tag("components/diff.html")
def diff(old: str, new: str, old_label: str = "before", new_label: str = "after") -> dict[str, Any]:
    return {"diff": compare(old, new), "old_label": old_label, "new_label": new_label, "id": f"d{next(_ids)}"}


@register.filter
def browser(user_agent: str) -> str:
    """ "Firefox on Linux": enough for a person to know their own browsers; the whole text belongs in a title."""
    names = {
        "Edg": "Edge",
        "OPR": "Opera",
        "Firefox": "Firefox",
        "Chrome": "Chrome",
        "Safari": "Safari",
        "curl": "curl",
    }
    places = {
        "iPhone": "iPhone",
        "iPad": "iPad",
        "Android": "Android",
        "Windows": "Windows",
        "Mac OS": "macOS",
        "Linux": "Linux",
    }
    name = next((shown for word, shown in names.items() if word in user_agent), "")
    place = next((shown for word, shown in places.items() if word in user_agent), "")
    return f"{name or 'A browser'} on {place}" if place else name or user_agent[:60] or "unknown"


@register.filter
def says_optional(field: Any) -> bool:
    """Whether a field should say that it is optional: not where no field of the form is required by itself."""
    return not field.field.required and any(one.required for one in field.form.fields.values())


@register.filter
def get(mapping: Mapping[str, Any], key: str) -> Any:
    """The value for a key that is itself a variable."""
    return mapping.get(key)
