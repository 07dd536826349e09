"""The URL conf, flattened: what the tests of the whole site walk over."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, reverse
from django.urls.resolvers import RegexPattern, RoutePattern

# Values of things that do not exist: an argument gets the first that its expression takes.
SAMPLES = ("00000000-0000-7000-8000-000000000000", "999999999", "0" * 32, "nothing")


@dataclass(frozen=True)
class Pattern:
    name: str  # with namespaces: "accounts:people"
    callback: Any
    arguments: dict[str, str]  # name -> a regular expression that its value matches


def patterns(resolver: URLResolver, namespace: str = "", outer: dict[str, str] | None = None) -> Iterator[Pattern]:
    seen = set()
    for entry in resolver.url_patterns:
        arguments = {**(outer or {}), **_arguments(entry)}
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from patterns(entry, inner, arguments)
        else:
            assert isinstance(entry, URLPattern)
            assert entry.name, f"an address without a name: {entry.pattern}"
            name = namespace + entry.name
            if name not in seen:  # an earlier one of the same name wins
                seen.add(name)
                yield Pattern(name, entry.callback, arguments)


def sample_path(pattern: Pattern, **given: Any) -> str:
    arguments = {name: given.get(name) or _sample(regex) for name, regex in pattern.arguments.items()}
    return reverse(pattern.name, kwargs=arguments)


def _sample(regex: str) -> str:
    # "nothing" wherever text is taken: it reads best in a failure.
    return next(value for value in reversed(SAMPLES) if re.fullmatch(regex, value))


def methods(pattern: Pattern) -> set[str] | None:
    """The HTTP methods that a class-based view has; None for a function, which cannot be asked."""
    view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
    if view is None:
        return None
    return {name.upper() for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)}


def _arguments(entry: URLPattern | URLResolver) -> dict[str, str]:
    pattern = entry.pattern
    if isinstance(pattern, RoutePattern):
        return {name: converter.regex for name, converter in pattern.converters.items()}
    if isinstance(pattern, RegexPattern):
        return dict.fromkeys(pattern.regex.groupindex, r"[-:\w]+")
    return {}
