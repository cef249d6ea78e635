"""What the independent operator is told of itself; apart, since its own module takes long to import."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

SETTINGS = "neighbour.json"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the neighbour is: its domain, where it listens, its certificate, and whom it asks for MX records."""

    domain: str
    host: str
    port: int
    cert: str
    key: str
    ca: str
    nameserver: str

    def write(self, folder: Path) -> None:
        """Keep it where the neighbour reads it."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / SETTINGS).write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Identity:
        """Read what `write` wrote; raises OSError, TypeError or ValueError."""
        return cls(**json.loads((folder / SETTINGS).read_text(encoding="utf-8")))
