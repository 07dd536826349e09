"""What stands around every page: where one can go, what the palette finds, the menu of whoever is signed in."""

from functools import lru_cache
from typing import Any

from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.utils.html import json_script

from web import navigation as nav
from web.templatetags.ui import kept

register = template.Library()


@register.simple_tag(takes_context=True)
def navigation(context: Context) -> str:
    request = context["request"]
    return _navigation(nav.entries(nav.WORK, request), nav.entries(nav.ADMIN, request))


@lru_cache(maxsize=64)
def _navigation(work: tuple[nav.Link, ...], admin: tuple[nav.Link, ...]) -> str:
    return render_to_string("components/navigation.html", {"work": work, "admin": admin})


@register.simple_tag(takes_context=True)
def palette_links(context: Context) -> str:
    """What the palette can find, as JSON for the browser."""
    return _palette_links(nav.palette(context["request"]))


@lru_cache(maxsize=64)
def _palette_links(links: tuple[nav.Link, ...]) -> str:
    shown = [{"label": link.label, "url": link.url, "hint": link.hint} for link in links]
    return json_script(shown, "palette-links")


@register.simple_tag
def user_menu(user: Any) -> str:
    return kept("web/user_menu.html", {"name": user.name, "email": user.email})
