"""From a backup to a new, empty place: every piece held against its name, and nothing that looks whole before it is."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import apsw

from mss_gateway.observe.durable import make_private, sync
from mss_gateway.ports.keeping import KeepProblem

from .backup import Report
from .backup_chunks import ChunkStore, read_key, write_all
from .backup_manifest import KeptFile, Manifest, choose
from .migrate import migrate, migrations
from .opening_marks import MARKER, refuse_incomplete
from .restore_renew import renew

__all__ = ["refuse_incomplete", "restore"]

_NEEDED = 1.02  # room for what SQLite writes beside
_MARKED = "A restore into this folder is not complete. Remove the folder and restore again.\n"


def restore(source: Path, to: Path, which: str, key_file: Path | None, report: Report) -> dict[str, Any]:
    """Restore one backup of `source` into `to`, the state folder of a gateway that is to be.

    Raises `KeepProblem` with what is missing and what to do; then nothing of it is left in `to`.
    """
    key = read_key(key_file) if key_file is not None else None
    manifest = choose(source, which, key)
    if key is not None and not manifest.encrypted:
        raise KeepProblem(
            f"The backup {manifest.id} is not encrypted, though a key is named: leave the key out if that is right;"
            " somebody may have put it there",
            "not-encrypted",
        )
    newest = migrations()[-1][0]
    if manifest.migration > newest:
        raise KeepProblem(
            f"The backup {manifest.id} has a store of version {manifest.migration}, this gateway knows {newest}:"
            " install the newer gateway",
            "manifest-newer",
        )
    chunks = ChunkStore(source, key if manifest.encrypted else None)
    _all_there(manifest, chunks)
    with _new_place(to, manifest):
        try:
            _write_files(manifest, chunks, to, report)
            facts = _finish(manifest, to / "store", report)
        except OSError as error:
            raise _disk_problem(error, manifest, to) from None
        except apsw.Error as error:
            raise KeepProblem(
                f"The database of the backup {manifest.id} is damaged ({type(error).__name__}): take another one of"
                " `backup list`",
                "database-damaged",
            ) from None
    return {
        "backup": manifest.id,
        "at": manifest.at,
        "to": str(to),
        "octets": manifest.octets,
        "files": len(manifest.files),
        "counts": dict(manifest.counts),
        **facts,
    }


def _all_there(manifest: Manifest, chunks: ChunkStore) -> None:
    """Before anything is written: is each piece there, in its size?"""
    missing: list[str] = []
    cut: list[str] = []
    for file in manifest.files:
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts or file.chunk <= 0 or file.size < 0:
            raise KeepProblem(
                f"The backup {manifest.id} names the file {file.path!r}: it was changed", "manifest-damaged"
            )
        if len(file.chunks) != -(-file.size // file.chunk):
            raise KeepProblem(
                f"The list of files of the backup {manifest.id} is cut or changed", "manifest-damaged"
            )
        for number, name in enumerate(file.chunks):
            size = chunks.size_on_disk(name)
            if size is None:
                missing.append(name)
            elif size != min(file.chunk, file.size - number * file.chunk):
                cut.append(name)
    for names, what, reason in ((missing, "missing", "chunk-missing"), (cut, "cut", "chunk-damaged")):
        if names:
            raise KeepProblem(
                f"The backup {manifest.id} is torn: {len(names)} of its pieces are {what}, the first is {names[0]}:"
                " take another one of `backup list`, or bring the folder `chunks` back from a copy",
                reason,
            )


@contextlib.contextmanager
def _new_place(to: Path, manifest: Manifest) -> Iterator[None]:
    """A folder that is new or empty, with the marker in it until all is there; empty again when it comes to nothing."""
    store = to / "store"
    made = not to.exists()
    try:
        to.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(to.iterdir()):
            interrupted = (
                " (of a restore that was interrupted: remove it)" if (store / MARKER).exists() else ""
            )
            raise KeepProblem(
                f"{to} is not empty{interrupted}: restore into a new folder, what is there stays untouched",
                "not-empty",
            )
        to.chmod(0o700)
        room = shutil.disk_usage(to).free
        if room < manifest.octets * _NEEDED:
            raise KeepProblem(
                f"{to} has room for {room / 1e9:.2f} GB, the backup needs {manifest.octets / 1e9:.2f} GB: make room, or"
                " restore to a larger disk",
                "target-full",
            )
        store.mkdir(mode=0o700)
        _write_marker(store)
    except OSError as error:
        raise _disk_problem(error, manifest, to) from None
    try:
        yield
    except BaseException:
        for one in to.iterdir():
            if one.is_dir():
                shutil.rmtree(one, ignore_errors=True)
            else:
                one.unlink(missing_ok=True)
        if made:
            with contextlib.suppress(OSError):
                to.rmdir()
        raise
    (store / MARKER).unlink()
    sync(store)


def _write_marker(store: Path) -> None:
    make_private(store / MARKER, _MARKED.encode())
    sync(store.parent)


def _write_files(manifest: Manifest, chunks: ChunkStore, to: Path, report: Report) -> None:
    done = 0
    folders: set[Path] = set()
    for file in manifest.files:
        target = to / file.path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folders.add(target.parent)
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            for name in file.chunks:
                octets = _piece(manifest, chunks, file, name)
                write_all(fd, octets)
                done += len(octets)
                report("files", done, manifest.octets)
            os.fsync(fd)
        finally:
            os.close(fd)
    for folder in sorted(folders):
        sync(folder)


def _piece(manifest: Manifest, chunks: ChunkStore, file: KeptFile, name: str) -> bytes:
    try:
        return chunks.get(name)
    except KeepProblem as problem:
        raise KeepProblem(
            f"The backup {manifest.id} is torn at {file.path}: {problem.sentence}. Take another one of `backup list`,"
            " or bring the piece back from a copy",
            problem.reason,
        ) from None


def _finish(manifest: Manifest, store: Path, report: Report) -> dict[str, Any]:
    """Check the database, and make of it a store of its own: no number that clients remember means something else."""
    report("database", 0, 1)
    db = apsw.Connection(str(store / "store.db"), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        db.execute("PRAGMA synchronous = FULL")
        found = [row[0] for row in db.execute("PRAGMA integrity_check(10)")]
        if found != ["ok"]:
            raise apsw.CorruptError(found[0])
        for row in db.execute("PRAGMA foreign_key_check"):
            raise apsw.CorruptError(f"a row of {row[0]} leads nowhere")
        for table, count in manifest.counts.items():
            there = db.execute(f'SELECT count(*) FROM "{table.replace(chr(34), "")}"').get
            if there != count:
                raise apsw.CorruptError(f"{table} has {there} rows of {count}")
        for segment, octets in db.execute("SELECT id, octets FROM segments"):
            path = store / "segments" / f"{segment:08}.seg"
            if not path.exists() or path.stat().st_size < octets:
                raise apsw.CorruptError(f"the segment file {segment} is not whole")
        (store / "segments").mkdir(mode=0o700, exist_ok=True)
        migrate(db)
        held = renew(db, time.time(), manifest.at)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        db.close()
    for name in ("store.db-wal", "store.db-shm"):
        (store / name).unlink(missing_ok=True)
    (store / "store.db").chmod(0o600)
    sync(store)
    report("database", 1, 1)
    return held


def _disk_problem(error: OSError, manifest: Manifest, to: Path) -> KeepProblem:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return KeepProblem(
            f"No space left in {to} for the {manifest.octets / 1e9:.2f} GB of the backup {manifest.id}: make room, or"
            " restore to a larger disk; what was written has been removed",
            "target-full",
        )
    return KeepProblem(
        f"{error.filename or to} cannot be used ({error.strerror}): nothing was restored", "disk"
    )
