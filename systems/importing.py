"""Versions from a git checkout: read out of the commit itself, byte by byte, whatever the working tree looks like.

A manifest in the repository says which file is which component:

    system: support-bot
    components:
      - {kind: prompt, name: system-prompt, path: prompts/system.txt}

Nothing of the repository is run, and nothing is followed out of it: a path names a plain file of that commit.
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from django.db import transaction

from accounts.models import User
from systems.actions.registry import draft_version, submit_version
from systems.errors import InvalidInput, NotYourRole, Refused
from systems.kinds import Kind
from systems.models import Component, System, Version

MOST_BYTES = 50 * 2**20
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/~^-]{0,199}")


@dataclass(frozen=True)
class Imported:
    component: Component
    version: Version | None  # None: the newest version holds exactly this already


@transaction.atomic
def import_checkout(
    *, repository: Path, revision: str, manifest: str, by: User, now: datetime, submit: bool = True
) -> list[Imported]:
    """A version of each component whose content is another one in that commit: all of them, or none."""
    checkout = _Checkout(repository, revision)
    listed = _manifest(checkout.read(manifest), manifest)
    system = System.objects.filter(slug=listed["system"]).first()
    if system is None:
        raise InvalidInput(f"{manifest} names the system {listed['system']!r}, which is not here.")
    return [_one(checkout, system, row, by=by, now=now, submit=submit) for row in listed["components"]]


def _one(
    checkout: "_Checkout", system: System, row: Mapping[str, Any], *, by: User, now: datetime, submit: bool
) -> Imported:
    component = Component.objects.filter(system=system, kind=row["kind"], name=row["name"]).first()
    if component is None:
        raise InvalidInput(f"{system} has no {row['kind']} named {row['name']}. Add the component first.")
    content = checkout.read(row["path"])
    meta = {"origin": f"{checkout.name}@{checkout.commit}:{row['path']}"}
    try:
        with transaction.atomic():
            version = draft_version(
                component=component, content=content, meta=meta, by=by, now=now, note=checkout.subject
            )
    except NotYourRole:
        raise
    except Refused as refused:
        if "version" in refused.extra:  # exactly this is there already
            return Imported(component, None)
        raise
    except InvalidInput as problem:
        reasons = [f"{row['path']}: {reason}" for reason in problem.reasons or (problem.detail,)]
        raise InvalidInput(reasons[0], reasons=reasons) from problem
    return Imported(component, submit_version(version=version, by=by, now=now) if submit else version)


class _Checkout:
    """One commit of a repository. `git` reads objects only: no hook, no filter, no configuration of the checkout."""

    def __init__(self, repository: Path, revision: str) -> None:
        if not _REVISION.fullmatch(revision) or ".." in revision:
            raise InvalidInput("Name a commit, a branch or a tag.")
        self.repository = repository
        self.commit = self._git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").decode().strip()
        self.subject = self._git("show", "--no-patch", "--format=%s", self.commit).decode(errors="replace").strip()
        self.name = repository.resolve().name

    def read(self, path: str) -> bytes:
        """The bytes of a plain file as they were committed."""
        if path.startswith("/") or ".." in Path(path).parts or ":" in path:
            raise InvalidInput(f"{path} does not lie inside the repository.")
        found = self._git("ls-tree", "-l", "-z", self.commit, "--", path).decode().split("\x00")[0]
        fields, _, name = found.partition("\t")
        if name != path:
            raise InvalidInput(f"{path} is no file of this commit.")
        mode, _, blob, size = fields.split()
        if mode not in ("100644", "100755"):
            raise InvalidInput(f"{path} is a link, a folder or a submodule, not a plain file.")
        if int(size) > MOST_BYTES:
            raise InvalidInput(f"{path} has {int(size):,} bytes; the limit is {MOST_BYTES:,}.")
        return self._git("cat-file", "blob", blob)

    def _git(self, *arguments: str) -> bytes:
        command = ["git", "-c", "safe.directory=*", "-C", str(self.repository), "--no-replace-objects", *arguments]
        try:
            done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InvalidInput(f"git could not read {self.repository}: {error}.") from error
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip() or "there is no such revision"
            raise InvalidInput(f"git could not read {self.repository}: {said}.")
        return done.stdout


def _manifest(data: bytes, name: str) -> dict[str, Any]:
    try:
        listed = yaml.safe_load(data.decode("utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise InvalidInput(f"{name} is not YAML{where}.") from None
    if not isinstance(listed, dict) or not isinstance(listed.get("system"), str):
        raise InvalidInput(f"{name} says which system it is about: system: its-id.")
    rows = listed.get("components")
    if not isinstance(rows, list) or not rows:
        raise InvalidInput(f"{name} lists components, each with kind, name and path.")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in ("kind", "name", "path")):
            raise InvalidInput(f"{name}: component {number} has a kind, a name and a path.")
        if row["kind"] not in Kind.values:
            raise InvalidInput(f"{name}: component {number} has the kind {row['kind']!r}, which does not exist.")
    return listed
