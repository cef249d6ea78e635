"""What backups are told: where to, how often, how many are kept, with which key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mss_gateway.ports.keeping import Work

from .options import SqliteOptions


@dataclass(frozen=True, slots=True)
class KeptPlace:
    """What is kept: the store, and beside it the state folder and the configuration file."""

    state: Path
    config: Path
    store: SqliteOptions


@dataclass(frozen=True, slots=True)
class KeepOptions:
    """`to` None: no backup by itself; `every` in seconds.

    `keep` is how many backups stay, 0 for all; `rate` octets in a second, 0 as low as the mail wants it.
    """

    to: Path | None = None
    every: float = 24 * 3600.0
    keep: int = 14
    key_file: Path | None = None
    rate: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """What the process that does the work is given; it is sent over a pipe and never leaves the machine."""

    work: Work
    place: KeptPlace
    options: KeepOptions
    target: Path | None = None
    arguments: tuple[tuple[str, Any], ...] = ()
    lineage: int = 0
    gateway: str = ""
