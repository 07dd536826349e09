"""JSON of any tool, at an address or in a folder, with JMESPath expressions that say where its parts stand.

`rows` finds the list of cases in the document, the places of a case are looked up in each of them, and what the run is
about in the document. A document that counts its cases should say where (`total`), so that a lost row is noticed.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from metrics.answers import RunAnswer
from metrics.mapping import Fields, answer
from metrics.problems import Invalid, Unreadable
from metrics.reading import read_json

NAME = "json_http"
SUFFIXES = (".json",)
WHAT = "The JSON"


def describe() -> str:
    return "JSON of any other tool or service, with JMESPath expressions for its parts."


def check(config: Mapping[str, Any]) -> None:
    """Refuses expressions that cannot be read, by name."""
    fields = Fields.read(config)
    if not fields.rows or not fields.scores:
        raise Invalid("Say where the list of cases stands (rows), and at least one score.")
    for name, place in [*fields.scores.items(), *((n, getattr(fields, n)) for n in Fields.__dataclass_fields__)]:
        if isinstance(place, str) and place:
            _compiled(place, name)


def parse(raw: bytes, config: Mapping[str, Any]) -> RunAnswer:
    check(config)
    fields = Fields.read(config)
    document = read_json(raw, WHAT)
    rows = _get(document, fields.rows)
    if not isinstance(rows, list):
        raise Unreadable(f"{WHAT} has no list at {fields.rows}; it may be of another format or version.")
    return answer(NAME, WHAT, document, rows, fields, _get)


def _get(document: Any, place: str) -> Any:
    try:
        return _compiled(place, place).search(document)
    except (JMESPathError, RecursionError) as error:
        raise Unreadable(f"{place} cannot be applied to the JSON: {error}.") from None


@lru_cache(maxsize=1000)
def _compile(place: str) -> Any:
    return jmespath.compile(place)


def _compiled(place: str, name: str) -> Any:
    try:
        return _compile(place)
    except (JMESPathError, RecursionError) as error:
        said = str(error).splitlines()[0]
        raise Invalid(f"The expression for {name} is not JMESPath: {said}") from None
