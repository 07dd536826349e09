"""What the names of a span's attributes decide before any value is read. Pure.

An application sends the same few sets of names again and again. So each set is looked at once: which of its names are
denied, which carry prompt or answer, how the others read without personal data, and where the span may say what.
"""

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from audit.contract import IngestProfile
from audit.ingest import policy
from audit.ingest.mapping import Places, places_among
from audit.ingest.names import LONG, content_side
from audit.redaction import redact

MAX_LABEL = 200

type Names = tuple[str, ...]


class Shape(NamedTuple):
    denied: dict[str, str]  # by which pattern
    plain: Names  # neither denied nor content
    labels: Names  # the plain ones as they are kept: cut, and without personal data
    found: Names  # which kinds of it there were
    input: Names  # content is stored apart, encrypted, as the system's profile says
    output: Names
    places: Places

    def without_denied(self, attributes: dict[str, Any], unsafe: Counter[str]) -> dict[str, Any]:
        """The attributes but for the denied ones, which are counted by the pattern that denies them."""
        if not self.denied:
            return attributes
        unsafe.update(f"field {pattern}" for pattern in self.denied.values())
        return {name: value for name, value in attributes.items() if name not in self.denied}


def shape_of(names: Iterable[str], *, profile: IngestProfile, resource: Iterable[str] = ()) -> Shape:
    own, above, fields = tuple(names), tuple(resource), tuple(profile.denied_fields)
    short = sum(map(len, own)) + sum(map(len, above)) <= LONG
    return _shape_of(own, above, fields) if short else _shape_of.__wrapped__(own, above, fields)


@lru_cache(maxsize=1024)
def _shape_of(names: Names, resource: Names, fields: Names) -> Shape:
    denied = policy.denied_among(names, fields)
    kept = tuple(name for name in names if name not in denied)
    side = {name: content_side(name) for name in kept}
    plain = tuple(name for name in kept if side[name] is None)
    found: Counter[str] = Counter()
    return Shape(
        denied=denied,
        plain=plain,
        labels=tuple(redact(name, found)[:MAX_LABEL] for name in plain),
        found=tuple(found.elements()),
        input=tuple(name for name in kept if side[name] == "input"),
        output=tuple(name for name in kept if side[name] == "output"),
        places=places_among(resource, kept),
    )
