"""Search boxes speak `key:value` tokens, so that every list has an address: `status:blocked owner:mara schema`."""

import shlex
from collections.abc import Collection
from dataclasses import dataclass, field

from web.problems import BadRequest

MAX_LENGTH = 500


@dataclass(frozen=True)
class Filter:
    tokens: dict[str, list[str]] = field(default_factory=dict)
    text: str = ""
    unknown: tuple[str, ...] = ()

    def first(self, key: str) -> str:
        return self.tokens.get(key, [""])[0]


def parse_tokens(query: str, allowed: Collection[str]) -> Filter:
    """Splits a query into tokens and free text. Keys that the list does not know are named, not dropped in silence."""
    if len(query) > MAX_LENGTH:
        raise BadRequest(f"A search has at most {MAX_LENGTH} characters.")
    query = query.replace("\x00", "")
    try:
        words = shlex.split(query)
    except ValueError:  # an unclosed quote
        words = query.replace('"', " ").replace("'", " ").split()
    tokens: dict[str, list[str]] = {}
    text, unknown = [], []
    for word in words:
        key, colon, value = word.partition(":")
        if colon and value and key in allowed:
            tokens.setdefault(key, []).append(value)
        elif colon and value and key.isidentifier():
            unknown.append(key)
        else:
            text.append(word)
    return Filter(tokens=tokens, text=" ".join(text), unknown=tuple(unknown))
