"""What one backup consists of: a list of files with their pieces, closed by a digest, written last."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest
from pathlib import Path

import orjson

from mss_gateway.observe.durable import sync
from mss_gateway.ports.keeping import KeepProblem

from .backup_chunks import BACKUPS, BackupKey, write_all

FORMAT = 1
"""The shape of manifests; a larger number comes from a newer gateway."""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file of `size` octets in pieces of `chunk` octets each, the last one shorter; `segment` is its number."""

    path: str
    size: int
    chunk: int
    chunks: tuple[str, ...]
    segment: int | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """One backup: of which instant, of which store (`lineage` is another one after each restore), what is in it."""

    id: str
    at: float
    ended_at: float
    gateway: str
    migration: int
    lineage: int
    counts: Mapping[str, int]
    files: tuple[KeptFile, ...]
    octets: int = 0
    written: int = 0
    format: int = FORMAT
    encrypted: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def chunks(self) -> set[str]:
        """Names of all pieces."""
        return {name for file in self.files for name in file.chunks}


def manifest_id(folder: Path, at: float) -> str:
    """A name that sorts by time and is not taken."""
    stem = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
    name, number = stem, 1
    while (folder / BACKUPS / f"{name}.json").exists():
        number += 1
        name = f"{stem}-{number}"
    return name


def write_manifest(folder: Path, manifest: Manifest, key: BackupKey | None) -> None:
    """The last act of a backup: with this file it exists. Raises OSError."""
    home = folder / BACKUPS
    text = orjson.dumps(asdict(manifest))
    temporary = home / f"{manifest.id}.tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_all(fd, text + b"\n" + _closing(text, key) + b"\n")
        os.fsync(fd)
    finally:
        os.close(fd)
    temporary.rename(home / f"{manifest.id}.json")
    sync(home)


def _closing(text: bytes, key: BackupKey | None) -> bytes:
    if key is None:
        return sha256(text).hexdigest().encode()
    return hmac_digest(key.manifest, text, "sha256").hex().encode()


def read_manifest(path: Path, key: BackupKey | None, *, trust: bool = False) -> Manifest:
    """Raises `KeepProblem` for a manifest that is cut, changed, of a newer gateway, or of another key.

    With `trust` an encrypted one is read without its key: enough to know what pieces it names.
    """
    name = path.stem
    try:
        text, _, closing = path.read_bytes().rstrip(b"\n").rpartition(b"\n")
        found = orjson.loads(text)
        if not isinstance(found, dict):
            raise ValueError(name)
    except OSError as error:
        raise KeepProblem(
            f"The backup {name} cannot be read ({error.strerror})", "manifest-unreadable"
        ) from None
    except ValueError:
        raise KeepProblem(
            f"The list of files of the backup {name} is cut or changed: take another one of `backup list`",
            "manifest-damaged",
        ) from None
    if isinstance(found.get("format"), int) and found["format"] > FORMAT:
        raise KeepProblem(
            f"The backup {name} was made by a newer gateway ({found.get('gateway')}): install that one to use it",
            "manifest-newer",
        )
    sealed = bool(found.get("encrypted"))
    if sealed and key is None and not trust:
        raise KeepProblem(
            f"The backup {name} is encrypted: name its key with --key-file or keep.backup_key_file",
            "backup-key",
        )
    checkable = not (sealed and key is None)
    if checkable and not compare_digest(_closing(text, key if sealed else None), closing):
        raise KeepProblem(
            f"The list of files of the backup {name} is cut or changed"
            + (", or this is not its key" if sealed else "")
            + ": take another one of `backup list`",
            "manifest-damaged",
        )
    return _built(found, name)


def _built(found: dict[str, object], name: str) -> Manifest:
    try:
        files = tuple(
            KeptFile(**{**one, "chunks": tuple(one["chunks"])})
            for one in found.pop("files")  # type: ignore[attr-defined]
        )
        return Manifest(files=files, **found)  # type: ignore[arg-type]
    except (TypeError, KeyError):
        raise KeepProblem(
            f"The list of files of the backup {name} is not of this format: take another one of `backup list`",
            "manifest-damaged",
        ) from None


def manifest_paths(folder: Path) -> list[Path]:
    """Every complete backup, the newest first."""
    return sorted((folder / BACKUPS).glob("*.json"), key=_by_time, reverse=True)


def _by_time(path: Path) -> tuple[str, int]:
    stem, _, number = path.stem.partition("-")
    return stem, int(number) if number.isdecimal() else 1


def choose(folder: Path, which: str, key: BackupKey | None) -> Manifest:
    """The newest backup, one by its name, or the newest one of a time (ISO 8601, UTC) or before it."""
    if not (folder / BACKUPS).is_dir():
        raise KeepProblem(f"{folder} holds no backups: name the folder that `backup` wrote to", "no-backup")
    paths = manifest_paths(folder)
    if not paths:
        raise KeepProblem(f"There is no complete backup in {folder}: make one with `backup`", "no-backup")
    if not which:
        return read_manifest(paths[0], key)
    for path in paths:
        if path.stem == which:
            return read_manifest(path, key)
    try:
        wanted = datetime.fromisoformat(which)
    except ValueError:
        raise KeepProblem(
            f"There is no backup {which} in {folder}: take a name of `backup list`, or a time such as"
            " 2026-11-21T18:30",
            "no-backup",
        ) from None
    stamp = (
        (wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    )
    for path in paths:
        if _by_time(path)[0] <= stamp:
            return read_manifest(path, key)
    raise KeepProblem(
        f"The oldest backup in {folder} is {paths[-1].stem}, younger than {which}: take that one", "no-backup"
    )
