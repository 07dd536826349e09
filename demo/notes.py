"""What the running parts of the demo and its visitors need, kept in the data folder, readable by its owner only."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Notes:
    password: str
    totp: dict[str, str]
    ingest_token: str
    app_port: int
    canary_port: int
    prometheus_port: int
    prometheus: bool

    @classmethod
    def path(cls, folder: Path) -> Path:
        return folder / "demo.json"

    @classmethod
    def load(cls, folder: Path) -> "Notes":
        return cls(**json.loads(cls.path(folder).read_text()))

    def save(self, folder: Path) -> None:
        path = self.path(folder)
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self), indent=2))
