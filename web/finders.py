"""Static files that come out of installed packages: plotly.js and the fonts. Only the files named here are exposed.

(The plotly wheel's folder also holds data sets and a widget bundle, none of which a browser should be offered.)
"""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage, Storage

# address below STATIC_URL -> (package, file inside it)
FILES = {
    "vendor/plotly.min.js": ("plotly", "package_data/plotly.min.js"),
    "vendor/geist.ttf": ("fontpkg_geist", "files/Geist[wght].ttf"),
    "vendor/geist-mono.ttf": ("fontpkg_geist_mono", "files/GeistMono[wght].ttf"),
}


def _source(path: str) -> str:
    package, file = FILES[path]
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"The package {package} is not installed: {path} comes from it.")
    return str(Path(spec.origin).parent / file)


class WheelStorage(FileSystemStorage):
    """Reads a file by the address it is served under, whatever it is called inside its package."""

    def path(self, name: str) -> str:
        return _source(name)


class WheelFinder(BaseFinder):
    def find(self, path: str, find_all: bool = False) -> Any:
        if path not in FILES:
            return []
        return [_source(path)] if find_all else _source(path)

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Storage]]:
        storage = WheelStorage()
        for path in FILES:
            yield path, storage
