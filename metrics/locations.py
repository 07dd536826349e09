"""Where evaluation files lie: in folders that the operator opened for us, or at an address, reached through egress.

`{release}` in a location stands for the label of the release that is asked for.
"""

import re
from pathlib import Path
from string import Formatter

from django.conf import settings

from metrics import egress
from metrics.problems import Invalid, SourceFailed, TooLarge

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}\Z")
MAX_FILES = 500


def check(location: str) -> None:
    """Refuses a location that could lead elsewhere; for the form, before anything is stored."""
    try:
        names = {name for _, name, _, _ in Formatter().parse(location) if name is not None}
    except ValueError:
        raise Invalid("The location has a brace without its pair.") from None
    if names - {"release"}:
        raise Invalid("Only {release} may stand in braces in a location.")
    filled = _filled(location, "2026.1")
    if is_address(location):
        egress.check_url(filled)
    else:
        _pattern(filled)


def read(location: str, *, release_label: str, suffixes: tuple[str, ...], secret: str) -> tuple[str, bytes]:
    """Name and bytes of the newest file at the location. Raises SourceFailed where there is none."""
    filled = _filled(location, release_label)
    if is_address(location):
        return _download(filled, secret)
    return _newest(filled, suffixes)


def is_address(location: str) -> bool:
    return location.startswith(("http://", "https://"))


def _filled(location: str, release_label: str) -> str:
    if not _LABEL.match(release_label) or ".." in release_label:
        raise Invalid(f"The label {release_label!r} cannot stand in a location.")
    return location.replace("{release}", release_label)


def _download(address: str, secret: str) -> tuple[str, bytes]:
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    limits = egress.Limits(total=120, max_bytes=settings.EVIDENCE_MAX_BYTES)
    response = egress.fetch(address, headers=headers, limits=limits)
    if not response.ok:
        raise SourceFailed(f"{address} gave no file. {response.problem}")
    return address.rsplit("/", 1)[-1], response.body


def _pattern(filled: str) -> tuple[str, ...]:
    """The parts of a path inside a root. A star may stand in the file's name only."""
    parts = tuple(part for part in filled.replace("\\", "/").split("/") if part)
    if filled.startswith("/") or not parts or any(part in (".", "..") or "\0" in part for part in parts):
        raise Invalid("Write the location as a path inside the evaluation folder, without .. and without a leading /.")
    if any(set("*?[") & set(part) for part in parts[:-1]) or "**" in parts[-1]:
        raise Invalid("A star may stand in the file's name only.")
    return parts


def _newest(filled: str, suffixes: tuple[str, ...]) -> tuple[str, bytes]:
    parts = _pattern(filled)
    if not settings.EVALUATION_ROOTS:
        raise SourceFailed("No folder is open for evaluation files: the operator sets READINESS_EVALUATION_ROOTS.")
    found: list[Path] = []
    for root in (Path(root).resolve() for root in settings.EVALUATION_ROOTS):
        folder = root.joinpath(*parts[:-1])
        if not folder.is_dir():
            continue
        for number, path in enumerate(folder.glob(parts[-1])):
            if number >= MAX_FILES:
                raise SourceFailed(f"More than {MAX_FILES} files match {filled}: name them more narrowly.")
            real = path.resolve()
            # A link may point anywhere; what counts is where it ends.
            if real.is_relative_to(root) and real.is_file() and real.suffix in suffixes:
                found.append(real)
    if not found:
        raise SourceFailed(f"There is no file {filled} with the ending {' or '.join(suffixes)}.")
    newest = max(found, key=lambda path: (path.stat().st_mtime_ns, path.name))
    with newest.open("rb") as file:
        raw = file.read(settings.EVIDENCE_MAX_BYTES + 1)
    if len(raw) > settings.EVIDENCE_MAX_BYTES:
        raise TooLarge(f"{newest.name} has more than {settings.EVIDENCE_MAX_BYTES:,} bytes.")
    return newest.name, raw
