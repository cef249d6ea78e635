"""From the section [keep] to what backups are told (OPS-5)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mss_gateway.ports.keeping import KeepProblem
from mss_gateway.storage.sqlite.backup_chunks import read_key
from mss_gateway.storage.sqlite.backup_options import KeepOptions

from .explain import ConfigError
from .schema import File

HOUR = 3600.0
MEGABYTE = 1_000_000


def keep_options(path: Path, file: File, at: Callable[[str], Path], state: Path) -> KeepOptions:
    """Where to, how often, how many; raises `ConfigError`."""
    keep = file.keep
    store = at(file.store.path) if file.store.path else state / "store"
    to = at(keep.backup_to) if keep.backup_to else None
    if to is not None and to.resolve().is_relative_to(store.resolve()):
        raise ConfigError(
            f"{path}: keep.backup_to = {keep.backup_to!r} lies inside the store: name a folder on another disk"
        )
    key_file = at(keep.backup_key_file) if keep.backup_key_file else None
    if key_file is not None:
        named = f"{path}: keep.backup_key_file = {keep.backup_key_file!r}"
        if not key_file.is_file():
            raise ConfigError(f"{named}: there is no such file: make one with `openssl rand -out FILE 32`")
        try:
            read_key(key_file)
        except KeepProblem as problem:
            raise ConfigError(f"{named}: {problem.sentence}") from None
    return KeepOptions(
        to=to,
        every=keep.backup_every_hours * HOUR,
        keep=keep.backup_keep,
        key_file=key_file,
        rate=keep.backup_rate_mb * MEGABYTE,
    )
