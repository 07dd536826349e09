"""plotly.js comes out of the plotly wheel: this finder exposes that one file as vendor/plotly.min.js."""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage, Storage

_SPEC = find_spec("plotly")
assert _SPEC and _SPEC.origin
_FOLDER = Path(_SPEC.origin).parent / "package_data"
_FILE = "plotly.min.js"


class PlotlyFinder(BaseFinder):
    storage = FileSystemStorage(location=str(_FOLDER))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.storage.prefix = "vendor"  # type: ignore[attr-defined]

    def find(self, path: str, find_all: bool = False) -> Any:
        if path != f"vendor/{_FILE}":
            return [] if find_all else None
        found = str(_FOLDER / _FILE)
        return [found] if find_all else found

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Storage]]:
        yield _FILE, self.storage
