"""Starts the process that keeps, hears how far it is, and remembers how it ended; implements `ports.keeping.Keeper`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import orjson

import mss_gateway
from mss_gateway.ports.keeping import KeepProblem, Progress, Restored, Work

from .backup import release_held
from .backup_options import KeepOptions, KeptPlace, Task
from .backup_verify import list_backups

_BAD = "The process that works on it ended without a word: the machine's log may say why (memory?)"


class KeptStore(Protocol):
    """What of the store is needed here."""

    async def lineage(self) -> int:
        """The store's own number."""

    async def restored(self) -> Restored | None:
        """What a restore left behind."""

    async def release_receipts(self, actor: str) -> int:
        """Let held receipts go."""


class SqliteKeeper:
    """Works on one store; one work at a time."""

    def __init__(self, store: KeptStore, place: KeptPlace, options: KeepOptions) -> None:
        self._store = store
        self._place = place
        self._options = options
        self._progress: Progress | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    @property
    def options(self) -> KeepOptions:
        """What the keeper was told."""
        return self._options

    async def tidy(self) -> None:
        """Let go of what a killed backup held, before any other begins."""
        await asyncio.to_thread(release_held, self._place.store.path)

    async def start(self, work: Work, arguments: Mapping[str, Any]) -> None:
        """Begin; raises `KeepProblem`."""
        target = self._target(work, arguments)
        options = self._options
        if arguments.get("key_file"):
            options = replace(options, key_file=Path(arguments["key_file"]))
        lineage = await self._store.lineage() if work is Work.BACKUP else 0
        task = Task(
            work, self._place, options, target, tuple(arguments.items()), lineage, mss_gateway.__version__
        )
        with self._lock:
            if self._progress is not None and self._progress.ended_at is None:
                raise KeepProblem(
                    f"A {self._progress.work.value} is running already: wait until it has ended",
                    "keeper-busy",
                )
            self._progress = Progress(work, time.time())
        try:
            await asyncio.to_thread(self._spawn, task)
        except Exception:
            self._end(problem=_BAD, reason="process")
            raise

    def _target(self, work: Work, arguments: Mapping[str, Any]) -> Path | None:
        if work is Work.VERIFY:
            return None
        given = arguments.get("target")
        target = Path(given) if given else self._options.to
        if target is None:
            raise KeepProblem(
                "No folder is named: give one, or set keep.backup_to in the configuration", "no-target"
            )
        if arguments.get("by_clock") and not target.is_dir():
            raise KeepProblem(
                f"{target} is not there: is its disk mounted? A backup by the clock makes no folder: make it, or run"
                " `mss-gateway backup`",
                "target-missing",
            )
        if work is not Work.BACKUP and not target.is_dir():
            raise KeepProblem(f"{target} is not there: name the folder that `backup` wrote to", "no-backup")
        return target

    def _spawn(self, task: Task) -> None:
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "mss_gateway.storage.sqlite.backup_worker"],
                env={**os.environ, "PYTHONPATH": str(Path(mss_gateway.__file__).parents[1])},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            self._end(problem=f"The process cannot be started: {error.strerror}", reason="process")
            return
        self._process = process
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            pickle.dump(task, process.stdin)
            process.stdin.flush()
        threading.Thread(target=self._hear, args=(process,), name="keeper", daemon=True).start()

    def _hear(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        assert process.stdin is not None
        last: dict[str, Any] = {}
        with process.stdout:
            for line in process.stdout:
                with contextlib.suppress(ValueError):  # it was killed in the middle of a line
                    last = orjson.loads(line)
                if "phase" in last and self._progress is not None:
                    self._progress = replace(self._progress, **last)
        with contextlib.suppress(OSError):
            process.stdin.close()
        process.wait()
        self._process = None
        backup = self._progress is not None and self._progress.work is Work.BACKUP
        if backup and "result" not in last:
            release_held(self._place.store.path)
        if "result" in last:
            self._end(result=last["result"])
        else:
            self._end(problem=str(last.get("problem", _BAD)), reason=str(last.get("reason", "process")))

    def _end(self, **how: Any) -> None:
        assert self._progress is not None
        self._progress = replace(self._progress, ended_at=time.time(), **how)

    def progress(self) -> Progress | None:
        """Where the work is."""
        return self._progress

    async def backups(self, target: str | None = None) -> list[dict[str, Any]]:
        """The backups there are; raises `KeepProblem`."""
        folder = self._target(Work.PRUNE, {"target": target})
        assert folder is not None
        return await asyncio.to_thread(list_backups, folder)

    async def restored(self) -> Restored | None:
        """What a restore left behind."""
        return await self._store.restored()

    async def release_receipts(self, actor: str) -> int:
        """Let held receipts go."""
        return await self._store.release_receipts(actor)

    def stop(self) -> None:
        """End what runs."""
        process = self._process
        if process is not None:
            with contextlib.suppress(OSError):
                process.kill()
