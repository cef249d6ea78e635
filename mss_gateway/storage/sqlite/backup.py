"""One backup of a store that may be in use: of one instant, incremental by what its pieces are called.

The instant is a read transaction on a connection of its own: neither the writer nor the reader waits. What the snapshot
names in segment files is append-only and was synced before its commit. A file that an expunge unlinks meanwhile is held
by a second name until the backup is complete.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from mss_gateway.observe.durable import sync
from mss_gateway.ports.keeping import KeepProblem

from .backup_chunks import BACKUPS, ChunkStore, locked, read_key
from .backup_image import CHUNK as DATABASE_CHUNK
from .backup_image import copy_pages
from .backup_manifest import KeptFile, Manifest, manifest_id, manifest_paths, read_manifest, write_manifest
from .backup_options import KeptPlace, Task
from .backup_pace import Pace

FILE_CHUNK = 4 * 1024 * 1024
"""Octets of a piece of a segment file."""

HOLD = "backup-hold"
"""Folder of the store in which a running backup holds segment files by a second name."""

COUNTED = (
    "boxes",
    "persons",
    "folders",
    "messages",
    "bodies",
    "segments",
    "outbox",
    "receipts",
    "channels",
    "trace",
    "removed",
)
"""Tables whose rows are counted in the manifest and again after a restore."""

CONFIG_NAME = "gateway.toml.kept"
"""The configuration file in a backup; its paths are those of the machine it came from."""

SHORT = 256 * 1024 * 1024
"""Octets that must stay free on the store's disk: while the database is copied its WAL grows with the mail."""

_TRIES = 100
_BESIDE = ("correlation.key", "trust", "audit*")
_SEALS = ".seals"

Report = Callable[[str, int, int], None]
"""Is told phase, octets done and octets of all."""


class _Segment(NamedTuple):
    id: int
    octets: int


@dataclass(slots=True)
class _Run:
    """What the steps of a backup hand to each other."""

    place: KeptPlace
    chunks: ChunkStore
    pace: Pace
    report: Report
    full: bool
    before: dict[tuple[int, int], KeptFile] = field(default_factory=dict)
    files: list[KeptFile] = field(default_factory=list)
    done: int = 0
    total: int = 0

    def moved(self, phase: str, octets: int) -> None:
        """Tell, and rest."""
        self.done += octets
        self.report(phase, self.done, self.total)
        self.pace.rest(octets)

    def keep(self, phase: str, octets: bytes) -> str:
        """One piece."""
        name = self.chunks.put(octets, check=self.full)
        self.moved(phase, len(octets))
        return name


def back_up(task: Task, report: Report) -> dict[str, Any]:
    """Make one backup into `task.target`, remove those above the number to keep, and tell what it took.

    Raises `KeepProblem`, OSError and apsw.Error; what was written until then is used by the next backup.
    """
    options, target = task.options, task.target
    if target is None:
        raise KeepProblem("No folder for the backup is named", "no-target")
    arguments = dict(task.arguments)
    key = read_key(options.key_file) if options.key_file is not None else None
    prepare_target(target, task.place.store.path)
    with locked(target), _held(task.place.store.path) as hold:
        chunks = ChunkStore(target, key)
        chunks.open()
        for torn in (target / BACKUPS).glob("*.tmp"):
            torn.unlink()
        full = bool(arguments.get("full_read"))
        run = _Run(task.place, chunks, Pace(int(arguments.get("rate") or options.rate)), report, full)
        manifest = _complete(run, task, target, hold)
        chunks.sync()
        write_manifest(target, manifest, key)
        removed = prune(target, options.keep, chunks, report, manifest.id) if options.keep else {}
    return {
        "backup": manifest.id,
        "at": manifest.at,
        "seconds": round(manifest.ended_at - manifest.at, 3),
        "files": len(manifest.files),
        "octets": manifest.octets,
        "written": manifest.written,
        "counts": dict(manifest.counts),
        "encrypted": manifest.encrypted,
        "removed": removed,
    }


def prepare_target(target: Path, store: Path) -> None:
    """Make the folder for its owner only; raises `KeepProblem` for one inside the store, or that cannot be used.

    One that is there keeps its rights, for it may be the root of a disk; what is made in it is the owner's only.
    """
    if target.resolve().is_relative_to(store.resolve()):
        raise KeepProblem(
            f"{target} lies inside the store: a backup belongs on another disk, name a folder there",
            "bad-target",
        )
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        (target / BACKUPS).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise KeepProblem(
            f"The folder {target} cannot be used ({error.strerror}): give it to the gateway's user",
            "bad-target",
        ) from None


def _complete(run: _Run, task: Task, target: Path, hold: Path) -> Manifest:
    store = run.place.store.path
    db = connect_snapshot(store / "store.db")
    try:
        before = _beside(run.place)
        at, segments = _snapshot(db, run, target, hold, task.lineage)
        name = manifest_id(target, at)
        counts = {table: int(db.execute(f"SELECT count(*) FROM {table}").get) for table in COUNTED}
        migration = int(db.execute("SELECT max(number) FROM migrations").get)
        size = int(db.pragma("page_count")) * int(db.pragma("page_size"))
        run.total = size + sum(one.octets for one in segments if (one.id, one.octets) not in run.before)
        _keep_beside(run, before)
        _keep_database(run, db)
        db.execute("ROLLBACK")
    finally:
        db.close()
    for segment in segments:
        _keep_segment(run, segment, hold)
    octets = sum(file.size for file in run.files)
    return Manifest(
        id=name,
        at=at,
        ended_at=time.time(),
        gateway=task.gateway,
        migration=migration,
        lineage=task.lineage,
        counts=counts,
        files=tuple(run.files),
        octets=octets,
        written=run.chunks.written,
        encrypted=run.chunks.key is not None,
    )


def connect_snapshot(path: Path) -> apsw.Connection:
    """A connection that writes nothing, beside those of a gateway that may be running."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    db.set_busy_timeout(10_000)
    db.execute("PRAGMA query_only = ON")
    db.execute("PRAGMA temp_store = MEMORY")
    return db


def _snapshot(
    db: apsw.Connection, run: _Run, target: Path, hold: Path, lineage: int
) -> tuple[float, list[_Segment]]:
    """Begin the read transaction, and hold every segment file that it names and that is to be read."""
    if not run.full:
        run.before = _unchanged(target, run.chunks, lineage)
    for _ in range(_TRIES):
        db.execute("BEGIN")
        segments = [_Segment(*row) for row in db.execute("SELECT id, octets FROM segments ORDER BY id")]
        at = time.time()
        try:
            for one in segments:
                if (one.id, one.octets) not in run.before and not segment_path(hold, one.id).exists():
                    os.link(
                        segment_path(run.place.store.path / "segments", one.id), segment_path(hold, one.id)
                    )
        except FileNotFoundError:
            # Expunged between snapshot and link: another instant, with what is held already.
            db.execute("ROLLBACK")
            continue
        return at, segments
    raise KeepProblem(
        "Segment files that the database names are missing: `verify` tells which", "segment-missing"
    )


def _unchanged(target: Path, chunks: ChunkStore, lineage: int) -> dict[tuple[int, int], KeptFile]:
    """Segments of the newest backup of this store that need not be read again: number and size tell all of them."""
    for path in manifest_paths(target):
        with contextlib.suppress(KeepProblem):
            manifest = read_manifest(path, chunks.key)
            if manifest.lineage == lineage and manifest.encrypted == (chunks.key is not None):
                return {
                    (file.segment, file.size): file
                    for file in manifest.files
                    if file.segment is not None and chunks.known.issuperset(file.chunks)
                }
    return {}


def segment_path(folder: Path, segment: int) -> Path:
    """The file of a segment, as the store names it."""
    return folder / f"{segment:08}.seg"


def _beside(place: KeptPlace) -> dict[str, bytes]:
    """The files beside the store, small all of them; the configuration under a name that no gateway reads."""
    state, store = place.state, place.store
    found: dict[str, Path] = {CONFIG_NAME: place.config}
    for folder, prefix in ((state, ""), (store.path, "store/")):
        for pattern in _BESIDE:
            for path in sorted(folder.glob(pattern)):
                inside = sorted(path.rglob("*")) if path.is_dir() else [path]
                found |= {prefix + str(one.relative_to(folder)): one for one in inside if one.is_file()}
    key = store.audit_key
    if key is not None:
        # Where the configuration looks for them when that is below the state folder, else where an operator does.
        kept = key.relative_to(state) if key.is_relative_to(state) else Path("audit.key")
        found |= {str(kept): key, str(kept.with_suffix(_SEALS)): key.with_suffix(_SEALS)}
    octets: dict[str, bytes] = {}
    for name, path in found.items():
        with contextlib.suppress(FileNotFoundError):  # the trust room replaces its files now and then
            octets[name] = path.read_bytes()
    return octets


def _keep_beside(run: _Run, before: dict[str, bytes]) -> None:
    """As they are now; the seals of the trace as they were before the instant, for none may be of a later line."""
    now = _beside(run.place)
    for name, octets in now.items():
        if name.endswith(_SEALS):
            octets = before.get(name, b"")
        pieces = [octets[at : at + FILE_CHUNK] for at in range(0, len(octets), FILE_CHUNK)]
        names = tuple(run.chunks.put(piece, check=run.full) for piece in pieces)
        run.files.append(KeptFile(name, len(octets), FILE_CHUNK, names))


def _keep_database(run: _Run, db: apsw.Connection) -> None:
    names: dict[int, str] = {}
    store = run.place.store.path

    def take(number: int, octets: bytes) -> None:
        names[number] = run.keep("database", octets)

    def moved(done: int, of: int) -> None:
        if shutil.disk_usage(store).free < SHORT:
            raise KeepProblem(
                "The store's disk has less than 256 MB left, so the backup makes way: make room, then try again",
                "store-short",
            )

    size = copy_pages(db, take, moved)
    chunks = tuple(names[number] for number in range(len(names)))
    run.files.append(KeptFile("store/store.db", size, DATABASE_CHUNK, chunks))


def _keep_segment(run: _Run, segment: _Segment, hold: Path) -> None:
    known = run.before.get(segment)
    if known is not None:
        run.files.append(known)
        return
    names = []
    with segment_path(hold, segment.id).open("rb", buffering=0) as file:
        for at in range(0, segment.octets, FILE_CHUNK):
            wanted = min(FILE_CHUNK, segment.octets - at)
            octets = os.pread(file.fileno(), wanted, at)
            if len(octets) != wanted:
                raise KeepProblem(
                    f"The segment file {segment.id} is shorter than the database says: `verify` tells what is lost",
                    "segment-cut",
                )
            names.append(run.keep("segments", octets))
        with contextlib.suppress(OSError):  # the mail's own files are to stay in the page cache
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    path = f"store/segments/{segment.id:08}.seg"
    run.files.append(KeptFile(path, segment.octets, FILE_CHUNK, tuple(names), segment.id))
    segment_path(hold, segment.id).unlink()


@contextlib.contextmanager
def _held(store: Path) -> Iterator[Path]:
    """The folder for second names; what a killed run left in it is let go first."""
    release_held(store)
    hold = store / HOLD
    hold.mkdir(mode=0o700)
    try:
        yield hold
    finally:
        release_held(store)


def release_held(store: Path) -> None:
    """Let go of segment files that a killed backup held: their room is free again."""
    shutil.rmtree(store / HOLD, ignore_errors=True)


def prune(target: Path, keep: int, chunks: ChunkStore, report: Report, spared: str = "") -> dict[str, Any]:
    """Remove all but the newest `keep` backups, then every piece that none names; raises `KeepProblem`.

    The one `spared` is among those that stay, even when the clock was set back and others seem to be newer.
    With a backup whose list cannot be read nothing is removed: its pieces would go with it.
    """
    paths = sorted(manifest_paths(target), key=lambda path: path.stem != spared)
    stay, go = paths[:keep], paths[keep:]
    needed: set[str] = set()
    for path in stay:
        try:
            needed |= read_manifest(path, chunks.key, trust=True).chunks
        except KeepProblem as problem:
            raise KeepProblem(
                f"{problem.sentence}; nothing is removed while {path} is there: remove it when it is not needed",
                problem.reason,
            ) from None
    for path in go:
        path.unlink()
    sync(target / BACKUPS)
    freed = 0
    surplus = [name for name in chunks.known if name not in needed]
    for number, name in enumerate(surplus):
        freed += chunks.forget(name)
        report("prune", number + 1, len(surplus))
    return {"backups": [path.stem for path in go], "pieces": len(surplus), "octets": freed}
