"""The keys that sign checkpoints, and their public halves.

READINESS_LEDGER_KEY (or its file) holds one or more Ed25519 seeds, base64, newest first; all of them sign. To replace a
key, put the new one in front, let both sign for a while, then take the old one away. Without the setting a key is made
once, in the data folder, readable by its owner only.
"""

import base64
import binascii
import os
import stat
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from audit.checkpoint import Signer, VerifierKey

SEED_SIZE = 32


def signers(origin: str, *, create: bool = False) -> list[Signer]:
    """Who signs for this log. `create` makes the key of the data folder if there is none: only the sealer does."""
    texts = settings.LEDGER_KEYS or [text for text in [_from_folder(create=create)] if text]
    return [Signer(origin, _seed(text)) for text in texts]


def public_keys(origin: str) -> list[VerifierKey]:
    return [signer.public for signer in signers(origin)]


def _seed(text: str) -> bytes:
    try:
        seed = base64.b64decode(text, validate=True)
    except binascii.Error:
        seed = b""
    if len(seed) != SEED_SIZE:
        raise ImproperlyConfigured(
            "READINESS_LEDGER_KEY: each key is 32 bytes, base64. Make one: openssl rand -base64 32"
        )
    return seed


def _path() -> Path:
    return Path(settings.DATA_DIR) / "keys" / "ledger_key"


def _from_folder(*, create: bool) -> str:
    path = _path()
    if create and not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IRUSR | stat.S_IWUSR
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError:
            pass  # another process was faster
        else:
            with os.fdopen(file, "wb") as opened:
                opened.write(base64.b64encode(os.urandom(SEED_SIZE)) + b"\n")
                opened.flush()
                os.fsync(opened.fileno())
    return path.read_text().strip() if path.exists() else ""
