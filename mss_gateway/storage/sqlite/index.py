"""The full-text index of the boxes: kept beside the store by a background task, and asked by searches.

A box gets its index with its first text search and keeps it. Nothing of it lies on the way of acceptance: the store
knows nothing of what is indexed. The index itself remembers, by folder, the last UID it took in and the mod-sequence
up to which it took expunged messages out, in the same transaction as the texts; after a crash it goes on from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import apsw

from mss_gateway.mail.plaintext import IndexText
from mss_gateway.ports.store import StoreError
from mss_gateway.ports.textsearch import FuzzyHits, TextHits

from . import index_query, index_reading
from .engine import Engine, translate
from .index_file import (
    Known,
    Round,
    apply,
    count_places,
    forget_folder,
    known_folders,
    open_index,
    remove_index,
    unknown_bodies,
)
from .index_reading import FolderHead, Step, is_of_another_past, text_of

T = TypeVar("T")

BATCH = 128
"""Messages of one round: FTS5 merges less when more come at once."""

SMALL_BATCH = 16
"""Messages of one round while the store is busy, and expunged messages of one transaction."""

_DEAR = 12  # taking a message out costs as much as taking so many in

_MOST_HELD = 4_000_000  # characters of one round
_TURN = 10.0  # seconds after which another box has its turn
_BUSY = 0.5  # seconds: with so many commits in so short a time the store is busy
_BUSY_COMMITS = 5
_PAUSE_BUSY = (
    40.0  # pause after a round, in rounds: while mail comes in, indexing takes a fortieth of one core
)
_PAUSE_IDLE = 0.5
_LONGEST_PAUSE = 5.0
_LITTLE = 0.05
_AFTER_FAULT = 1.5  # seconds until the store is asked again that could not answer
_PATIENCE = 2.0  # seconds that one round waits for searches that read messages
_BOXES_KNOWN = 50_000  # folder ids whose box is remembered


class _BeginAnew(Exception):
    """The index is to be thrown away and made again."""


class TextIndex:
    """The indexes of one store, in the folder `index` of its path."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._on = engine.options.index
        self._cap = engine.options.index_cap
        self._folder = engine.options.path / "index"
        self._boxes: set[int] = set()  # boxes that have an index
        self._checked: set[int] = set()  # those that were held against the store since it was opened
        self._box_of: dict[int, int] = {}
        self._changed: set[int] = set()  # folders
        self._due: dict[int, None] = {}  # boxes, in the order of their turns
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._commits: deque[float] = deque([0.0] * _BUSY_COMMITS, maxlen=_BUSY_COMMITS)
        self._task: asyncio.Task[None] | None = None
        self._readers = 0  # searches that read messages now
        self._nobody_reads = asyncio.Event()
        self._nobody_reads.set()

    async def open(self) -> None:
        """Find the indexes there are and start to bring them up to date; remove them when switched off."""
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="store-index")
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="store-search")
        await self._write(self._prepare)
        self._due = dict.fromkeys(self._boxes)
        if self._on:
            if self._due:
                self._wake.set()
            self._task = asyncio.get_running_loop().create_task(self._run())

    def _prepare(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for path in self._folder.glob("*.db"):
            if self._on and path.stem.isdecimal():
                self._boxes.add(int(path.stem))
            else:
                remove_index(path)

    async def close(self) -> None:
        """Stop; a round under way is finished."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        for pool in (self._writing, self._asking):
            await asyncio.get_running_loop().run_in_executor(None, pool.shutdown)

    def changed(self, folder_ids: Iterable[int]) -> None:
        """A commit changed these folders."""
        if self._boxes:
            self._commits.append(time.monotonic())
            self._changed.update(folder_ids)
            self._wake.set()

    @contextlib.contextmanager
    def standing_back(self) -> Iterator[None]:
        """Inside, a search reads messages. Rounds wait for its end: both would share one interpreter, and the search
        that had the index made would be the slowest of all. They wait `_PATIENCE` at most, so that an index that
        many search for is made in the end."""
        self._readers += 1
        self._nobody_reads.clear()
        try:
            yield
        finally:
            self._readers -= 1
            if not self._readers:
                self._nobody_reads.set()

    # --- questions

    async def find(self, folder_id: int, field: str, needle: str) -> TextHits:
        """Messages that contain a folded needle."""
        return await self._ask(
            folder_id, TextHits(), partial(index_query.find, folder_id=folder_id, field=field, needle=needle)
        )

    async def find_fuzzy(self, folder_id: int, words: Sequence[str]) -> FuzzyHits:
        """Messages in which most of the words occur."""
        return await self._ask(
            folder_id, FuzzyHits({}), partial(index_query.find_fuzzy, folder_id=folder_id, words=words)
        )

    async def _ask(self, folder_id: int, nothing: T, question: Callable[[apsw.Connection], T]) -> T:
        box_id = await self._find_box(folder_id) if self._on else None
        if box_id is None:
            return nothing
        if box_id not in self._boxes:
            self._boxes.add(box_id)
            self._due[box_id] = None
            self._wake.set()
        if box_id not in self._checked:
            return nothing
        path = self._path(box_id)
        try:
            return await self._question(path, nothing, question)
        except (apsw.Error, OSError):
            await self._give_up(box_id)
            return nothing

    async def _question(self, path: Path, nothing: T, question: Callable[[apsw.Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._asking, _asked, path, nothing, question)

    async def reindex(self, box_id: int) -> int:
        """Make the index of a box anew, without pauses; return how many messages it holds. Raises `StoreError`."""
        if not self._on:
            return 0
        async with self._turn:
            path = self._path(box_id)
            await self._write(remove_index, path)
            self._boxes.add(box_id)
            try:
                await self._bring_up(box_id, pauses=False)
                return await self._question(path, 0, count_places)
            except (apsw.Error, OSError) as error:
                await self._give_up(box_id)
                raise translate(error) from error
            except asyncio.CancelledError:
                self._due[box_id] = None  # the rest is made in the background
                self._wake.set()
                raise

    # --- keeping up

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            changed, self._changed = self._changed, set()
            for folder_id in changed:
                box_id = await self._find_box(folder_id)
                if box_id is not None and box_id in self._boxes:
                    self._due[box_id] = None
            while self._due:
                box_id = next(iter(self._due))
                del self._due[box_id]
                async with self._turn:
                    await self._keep(box_id)

    async def _keep(self, box_id: int) -> None:
        try:
            await self._bring_up(box_id, pauses=True)
        except _BeginAnew:
            await self._give_up(box_id)
            self._boxes.add(box_id)
            self._due[box_id] = None
        except (apsw.Error, OSError):
            # A damaged file, or no room: searches do without, and the next one begins anew.
            await self._give_up(box_id)
        except StoreError:
            self._due[box_id] = None
            await asyncio.sleep(_AFTER_FAULT)

    async def _give_up(self, box_id: int) -> None:
        self._boxes.discard(box_id)
        self._checked.discard(box_id)
        with contextlib.suppress(OSError):
            await self._write(remove_index, self._path(box_id))

    async def _bring_up(self, box_id: int, *, pauses: bool) -> None:
        heads = await self._engine.read(partial(index_reading.heads, box_id=box_id))
        if not heads:
            await self._give_up(box_id)
            return
        db = await self._write(open_index, self._path(box_id))
        end = time.monotonic() + (_TURN if pauses else math.inf)
        try:
            known = await self._write(known_folders, db)
            if any(is_of_another_past(head, known.get(head.id)) for head in heads):
                raise _BeginAnew
            self._checked.add(box_id)
            for folder_id in known.keys() - {head.id for head in heads}:
                while not await self._write(forget_folder, db, folder_id, SMALL_BATCH):
                    await self._pause(_LITTLE if pauses else 0.0)
            for head in heads:
                self._box_of[head.id] = box_id  # known also when the folder has gone
                if not await self._folder_up(db, head, known.get(head.id, Known(0, 0)), end):
                    self._due[box_id] = None
                    break
        finally:
            await self._write(db.close)

    async def _folder_up(self, db: apsw.Connection, head: FolderHead, known: Known, end: float) -> bool:
        """Bring one folder up to date; False when its box had its turn before that."""
        pauses = end < math.inf
        while known.modseq < head.modseq or known.decided + 1 < head.uid_next:
            if pauses:
                await self._let_searches_go()
            began = time.monotonic()
            limit = SMALL_BATCH if pauses and self._busy() else BATCH
            read = partial(index_reading.step, folder_id=head.id, known=known, limit=limit)
            step = await self._engine.read(read)
            if step is None:
                return True
            if len(step.vanished) > BATCH and len(step.vanished) * _DEAR > await self._write(
                count_places, db
            ):
                raise _BeginAnew
            step, texts = await self._texts(db, step)
            known = await self._write(_advance, db, head.id, known, step, texts)
            if pauses:
                await self._pause(time.monotonic() - began)
            if time.monotonic() > end:
                return False
        return True

    async def _texts(self, db: apsw.Connection, step: Step) -> tuple[Step, dict[int, IndexText]]:
        """The texts of the bodies that are new to the index; where they are large, of the first ones only."""
        wanted = await self._write(unknown_bodies, db, [body for _, body in step.added])
        texts: dict[int, IndexText] = {}
        if wanted:
            read = partial(index_reading.octets, segments=self._engine.segments, body_ids=wanted)
            bodies = await self._engine.read(read)
            held = 0
            for index, body in enumerate(bodies):
                if held > _MOST_HELD:
                    return step.before({body.body_id for body in bodies[index:]}), texts
                # One hop for each, so that the loop has its turn between them.
                texts[body.body_id] = text = await self._write(text_of, body, self._cap)
                held += len(text.header) + len(text.body)
        return step, texts

    def _busy(self) -> bool:
        return time.monotonic() - self._commits[0] < _BUSY

    async def _pause(self, worked: float) -> None:
        """Leave the others room after so many seconds of work; much room while mail comes in."""
        for _ in range(math.ceil(min(worked * _PAUSE_BUSY, _LONGEST_PAUSE) / _LITTLE)):
            if not self._busy():
                break
            await asyncio.sleep(_LITTLE)
        await asyncio.sleep(worked * _PAUSE_IDLE)

    async def _let_searches_go(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._nobody_reads.wait()

    # --- small things

    def _path(self, box_id: int) -> Path:
        return self._folder / f"{box_id}.db"

    async def _find_box(self, folder_id: int) -> int | None:
        known = self._box_of.get(folder_id)
        if known is None:
            known = await self._engine.read(partial(index_reading.box_of, folder_id=folder_id))
            if known is not None:
                if len(self._box_of) >= _BOXES_KNOWN:
                    self._box_of.clear()
                self._box_of[folder_id] = known
        return known

    async def _write(self, run: Callable[..., T], *values: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writing, run, *values)


def _advance(
    db: apsw.Connection, folder_id: int, known: Known, step: Step, texts: dict[int, IndexText]
) -> Known:
    """Write one step, expunges in small transactions; return how far the folder is now."""
    for at in range(SMALL_BATCH, len(step.vanished), SMALL_BATCH):
        apply(db, Round(folder_id, (), step.vanished[at : at + SMALL_BATCH], {}, known))
    apply(db, Round(folder_id, step.added, step.vanished[:SMALL_BATCH], texts, step.reached))
    return step.reached


def _asked(path: Path, nothing: T, question: Callable[[apsw.Connection], T]) -> T:
    """Ask one question on a connection of its own; `nothing` when there is no finished index."""
    if not path.exists():
        return nothing
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        db.set_busy_timeout(10_000)
        db.execute("PRAGMA mmap_size = 268435456; PRAGMA temp_store = MEMORY")
        if not db.pragma("user_version"):
            return nothing
        with db:  # one snapshot
            answer = question(db)
    finally:
        db.close()
    return answer
