"""Two threads: one writes in batches with one commit each, one reads. One hop per call, whatever the call does."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import apsw

from mss_gateway.ports.store import StoreError, StoreFull
from mss_gateway.ports.tree import TreeEvent

from .audit_chain import Chain, begin
from .encryption import StoreConnection, open_cipher
from .marks import FLAG_TEXT, flag_text
from .migrate import migrate
from .opening_marks import refuse_incomplete
from .options import SqliteOptions
from .segments import Segments
from .trace_index import TraceIndex

T = TypeVar("T")
ENDED = "A thread of the store has ended by a fault: restart the gateway"
"""What a call is told that nobody can carry out any more."""


@dataclass(slots=True)
class News:
    """What a batch has to tell once it is durable: folders with their mod-sequence, what else changed."""

    folders: dict[int, int] = field(default_factory=dict)
    tree: list[TreeEvent] = field(default_factory=list)
    directory: bool = False
    opened: bool = False
    queued: bool = False
    alerts: bool = False

    def take(self, writer: Writer) -> None:
        """Add what one job changed, and clear it there."""
        self.folders.update(writer.changed)
        self.tree += writer.tree
        self.directory = self.directory or writer.directory_changed
        self.opened = self.opened or writer.opened
        self.queued = self.queued or writer.queued
        self.alerts = self.alerts or writer.alerts
        writer.forget_news()

    def __bool__(self) -> bool:
        return bool(self.folders or self.tree) or self.directory or self.opened or self.queued or self.alerts


class Writer:
    """What a write job works with: the connection, the segments, and what it has to tell."""

    def __init__(self, db: apsw.Connection, segments: Segments, options: SqliteOptions, chain: Chain) -> None:
        self.db = db
        self.chain = chain
        self.segments = segments
        self.options = options
        self.changed: dict[int, int] = {}  # folder id -> highest mod-sequence
        self.tree: list[TreeEvent] = []
        self.directory_changed = False
        self.opened = False  # a message whose receipt is due has been opened
        self.queued = False  # the outbox has got rows
        self.alerts = False  # a patient is to be told outside
        self.folders: dict[tuple[int, str], int] = {}  # (box id, name) -> folder id, kept between batches

    def forget(self) -> None:
        """A job was rolled back: drop what was learned inside of it."""
        self.folders.clear()
        self.chain.forget()
        self.forget_news()

    def forget_news(self) -> None:
        """What was to be told is told, or was undone."""
        self.changed = {}
        self.tree = []
        self.directory_changed = self.opened = self.queued = self.alerts = False


@dataclass(slots=True)
class Job(Generic[T]):
    """One call waiting for its thread."""

    run: Callable[[Any], T]
    future: asyncio.Future[T]
    result: T | None = None
    error: BaseException | None = None


class Engine:
    """Opens the database and runs jobs. Futures belong to the loop that called `open`."""

    def __init__(self, options: SqliteOptions) -> None:
        self._options = options
        self._writes: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock_fd = -1
        self._closing = True
        self._broken = False
        self.after_commit: Callable[[News], None] = lambda news: None
        self.after_batch: Callable[[int, float], None] = lambda jobs, seconds: None  # in the writer thread

    @property
    def options(self) -> SqliteOptions:
        """What the store was told."""
        return self._options

    @property
    def is_alive(self) -> bool:
        """Whether both threads work."""
        return bool(self._threads) and not self._broken and all(thread.is_alive() for thread in self._threads)

    @property
    def chain(self) -> Chain:
        """The chain over the trace; only its key is to be used outside the writer thread."""
        return self._chain

    async def open(self) -> None:
        """Lock, open, migrate, recover; raises `StoreError` with what to do."""
        self._loop = asyncio.get_running_loop()
        await self._loop.run_in_executor(None, self._open)
        threads = (
            (self._write_loop, self._writes, "store-writer"),
            (self._read_loop, self._reads, "store-reader"),
        )
        for work, jobs, name in threads:
            thread = threading.Thread(target=self._answering, args=(work, jobs), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        self._closing = False

    def _open(self) -> None:
        path = self._options.path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            refuse_incomplete(path)
            self._lock(path)
            self.segments = Segments(path / "segments", self._options.segment_limit, self._options.adopt_from)
            self._writer_db = connect(path / "store.db", self._options)
            self.version = migrate(self._writer_db)
            self._chain = begin(self._writer_db, self._options.audit_key or path / "audit.key")
            self._trace_index = TraceIndex(self._writer_db, self._options.trace_waiting)
            cipher = open_cipher(self._writer_db, self._options.encryption, path)
            self.segments.recover(self._writer_db)
            self._reader_db = connect(path / "store.db", self._options)
            for db in (self._writer_db, self._reader_db):
                db.use(cipher)
        except (OSError, apsw.Error) as error:
            self._unlock()
            damaged = isinstance(error, apsw.CorruptError | apsw.NotADBError)
            step = "; keep a copy of it and restore a backup to a new place" if damaged else ""
            if isinstance(error, PermissionError):
                step = ": run the command as the gateway's user, and give it the state folder (`chown -R`)"
            raise StoreError(f"The store in {path} cannot be opened: {error}{step}") from error
        except StoreError:
            self._unlock()
            raise

    def _lock(self, path: Path) -> None:
        """One process per store: two writers on one file are what SQLite's WAL bears worst."""
        self._lock_fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._unlock()
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise StoreError(
                    f"The store in {path} is in use by a running gateway: use its control socket, or stop it first"
                ) from None
            raise

    def _unlock(self) -> None:
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    async def close(self) -> None:
        """Finish every job that was given, then close; calls that come later raise `StoreError`."""
        if self._closing:
            return
        self._closing = True
        self._writes.put(None)
        self._reads.put(None)
        for thread in self._threads:
            await asyncio.get_running_loop().run_in_executor(None, thread.join)
        self._reader_db.close()
        self._writer_db.close()
        self.segments.close()
        self._unlock()
        self._threads = []

    async def write(self, run: Callable[[Writer], T]) -> T:
        """Run a job inside the next transaction; returns once it is durable.

        The job is not undone when the caller is cancelled. Raises what the job raised, `StoreFull`, `StoreError`.
        """
        job = self._job(run)
        self._writes.put(job)
        return await asyncio.shield(job.future)

    async def read(self, run: Callable[[apsw.Connection], T]) -> T:
        """Run a job on one snapshot of what has been committed."""
        job = self._job(run)
        self._reads.put(job)
        return await asyncio.shield(job.future)

    def _job(self, run: Callable[[Any], T]) -> Job[T]:
        if self._closing:
            raise StoreError("The store is closed")
        return Job(run, self._loop.create_future())

    def _answering(self, work: Callable[[], None], jobs: queue.SimpleQueue[Job[Any] | None]) -> None:
        """Run a thread to its end; when a fault ends it, nobody waits for it for ever, now or later."""
        try:
            work()
        except BaseException:
            self._broken = True
            while True:
                job = jobs.get()
                if job is None:
                    raise
                job.error = StoreError(ENDED)
                self._loop.call_soon_threadsafe(_resolve, [job])

    # --- the writer thread

    def _write_loop(self) -> None:
        writer = Writer(self._writer_db, self.segments, self._options, self._chain)
        stop = False
        while not stop:
            # An older store has many lines without entries: one step after each batch, however fast these come.
            due = self._trace_index.is_due(self._chain.end[0])
            jobs, stop = self._batch(self._writes, wait=not due)
            if jobs:
                self._write_batch(writer, jobs)
            if due:
                # Without room, or by a fault of ours, the lines stay without entries, and are found all the same.
                with contextlib.suppress(Exception):
                    self._trace_index.step(self._chain.end[0])

    def _write_batch(self, writer: Writer, jobs: list[Job[Any]]) -> None:
        """Run a batch and tell those who wait for it, whatever became of it."""
        news = News()
        started = time.perf_counter()
        try:
            news = self._run_batch(writer, jobs)
            self.after_batch(len(jobs), time.perf_counter() - started)
        except BaseException as error:
            # The commit itself failed: nothing of this batch is there.
            for job in jobs:
                job.error = translate(error) if isinstance(error, Exception) else StoreError(ENDED)
            self._undo(writer, error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._loop.call_soon_threadsafe(self._settle, jobs, news)

    def _batch(
        self, jobs: queue.SimpleQueue[Job[Any] | None], *, wait: bool = True
    ) -> tuple[list[Job[Any]], bool]:
        """Everything that waits, up to the limit; what arrives during a commit makes the next batch."""
        batch: list[Job[Any]] = []
        if not wait and jobs.empty():
            return batch, False
        job = jobs.get()
        while True:
            if job is None:
                return batch, True
            batch.append(job)
            if len(batch) >= self._options.max_batch:
                return batch, False
            try:
                job = jobs.get_nowait()
            except queue.Empty:
                return batch, False

    def _run_batch(self, writer: Writer, jobs: list[Job[Any]]) -> News:
        """Commit the batch; return what it changed."""
        db = writer.db
        news = News()
        db.execute("BEGIN IMMEDIATE")
        for job in jobs:
            mark = self.segments.mark()
            db.execute("SAVEPOINT job")
            try:
                job.result = job.run(writer)
            except Exception as error:
                job.error = translate(error)
                if not db.in_transaction:
                    raise
                db.execute("ROLLBACK TO job")
                writer.forget()
                self.segments.undo(mark)
            db.execute("RELEASE job")
            news.take(writer)
        writer.chain.prove()
        self.segments.sync()
        db.execute("COMMIT")
        self.segments.committed()
        return news

    def _undo(self, writer: Writer, error: BaseException) -> None:
        if writer.db.in_transaction:
            # On a failing disk even this may fail; the next batch finds the transaction open and comes here again.
            with contextlib.suppress(apsw.Error):
                writer.db.execute("ROLLBACK")
        writer.forget()
        self.segments.undo_all(unlink=isinstance(translate(error), StoreFull))

    def _settle(self, jobs: list[Job[Any]], news: News) -> None:
        # Callers wake in the next turn of the loop, after the listeners; a listener's fault must not keep them asleep.
        _resolve(jobs)
        if news:
            self.after_commit(news)

    # --- the reader thread

    def _read_loop(self) -> None:
        db = self._reader_db
        stop = False
        while not stop:
            jobs, stop = self._batch(self._reads)
            if not jobs:
                continue
            for job in jobs:
                try:
                    # Each job is one snapshot, however many statements it makes.
                    db.execute("BEGIN")
                    try:
                        job.result = job.run(db)
                    finally:
                        db.execute("COMMIT")
                except Exception as error:
                    job.error = translate(error)
            self._loop.call_soon_threadsafe(_resolve, jobs)


def _resolve(jobs: list[Job[Any]]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
            job.future.exception()  # seen: the caller may have been cancelled
        else:
            job.future.set_result(job.result)


def connect(path: Path, options: SqliteOptions) -> StoreConnection:
    """Open with the durability we promise: WAL, and fsync at every commit."""
    db = StoreConnection(str(path))
    db.set_busy_timeout(10_000)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA temp_store = MEMORY")
    db.execute(f"PRAGMA cache_size = -{options.cache_kib}")
    db.execute("PRAGMA wal_autocheckpoint = 4000")
    db.execute("PRAGMA journal_size_limit = 67108864")
    db.create_scalar_function(FLAG_TEXT, flag_text, 2, deterministic=True)
    if options.max_pages:
        db.execute(f"PRAGMA max_page_count = {options.max_pages}")
    return db


def one(cursor: apsw.Cursor) -> Any:
    """The single value of a query that always has a row; raises `StoreError` when it has none."""
    row = cursor.fetchone()
    if row is None:
        raise StoreError("a row that must be there is missing")
    return row[0]


def translate(error: BaseException) -> BaseException:
    """Errors of SQLite and of the disk as the port names them; ours pass as they are."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or isinstance(error, apsw.FullError):
        return StoreFull("No space left for the store: make room, it goes on by itself")
    if isinstance(error, apsw.Error | OSError):
        found = StoreError(f"The store failed: {type(error).__name__}")
        found.__cause__ = error
        return found
    return error
