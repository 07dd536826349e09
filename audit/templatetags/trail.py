"""What only the pages of the trail draw."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def pairs(mapping: Mapping[str, Any]) -> SafeString:
    """Names with their values, as rows of a list of facts. Spans say the same few things again and again: kept."""
    rows = ((name, str(value)) for name, value in mapping.items())
    return format_html_join("", "{}", (((_pair if len(row[1]) <= 200 else _pair.__wrapped__)(*row),) for row in rows))


@lru_cache(maxsize=4096)
def _pair(name: str, value: str) -> SafeString:
    return format_html("<dt><code>{}</code></dt><dd>{}</dd>", name, value)
