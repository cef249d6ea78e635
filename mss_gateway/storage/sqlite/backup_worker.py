"""The process that makes backups and examines the store: beside the gateway, so that it takes nothing from the mail.

It reads its task from standard input, writes lines of JSON to standard output, and ends with the process that started
it: when that one is gone, standard input ends.
"""

from __future__ import annotations

import errno
import os
import pickle
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import IO, Any

import apsw
import orjson

from mss_gateway.ports.keeping import KeepProblem, Work
from mss_gateway.ports.store import StoreError

from .backup import HOLD, back_up, prune, release_held
from .backup_chunks import ChunkStore, locked, read_key
from .backup_options import Task
from .backup_pace import step_back

_OFTEN = 0.2  # seconds between two lines of progress
_ENDING = threading.Event()  # the process that started this one is gone


class _Reporter:
    """Writes where the work is, not more often than somebody looks."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._last = 0.0

    def __call__(self, phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= _OFTEN:
            self._last = now
            self.line({"phase": phase, "done": done, "total": total})

    def line(self, value: dict[str, Any]) -> None:
        """One line at once."""
        self._out.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))
        self._out.flush()


def carry_out(task: Task, report: _Reporter) -> dict[str, Any]:
    """Do the task; raises `KeepProblem`, OSError, apsw.Error."""
    from .backup_verify import verify_backups
    from .verify import verify_store

    if task.work is Work.VERIFY:
        return verify_store(task, report)
    if task.work is Work.BACKUP:
        return back_up(task, report)
    if task.target is None:
        raise KeepProblem("No folder of backups is named", "no-target")
    key = read_key(task.options.key_file) if task.options.key_file is not None else None
    if task.work is Work.VERIFY_BACKUP:
        return verify_backups(task.target, key, str(dict(task.arguments).get("backup") or ""), report)
    with locked(task.target):
        chunks = ChunkStore(task.target, key)
        chunks.open()
        return prune(task.target, int(dict(task.arguments)["keep"]), chunks, report)


def problem_of(error: Exception, task: Task) -> dict[str, str]:
    """The sentence for what went wrong; a fault of the disk is told with the disk that it is about."""
    if isinstance(error, KeepProblem):
        return {"problem": error.sentence, "reason": error.reason}
    if isinstance(error, StoreError):
        return {"problem": str(error), "reason": "store"}
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        sentence = (
            f"No space left for the backup in {task.target}: make room or keep fewer (`backup prune --keep N`), then"
            " try again; what was copied already is used again"
        )
        return {"problem": sentence, "reason": "target-full"}
    if isinstance(error, OSError):
        place = f" at {error.filename}" if error.filename else ""
        return {"problem": f"The disk failed{place}: {error.strerror}", "reason": "disk"}
    return {
        "problem": f"The database cannot be read ({type(error).__name__}): run `verify`",
        "reason": "database",
    }


def main() -> None:
    """Read the task, carry it out, tell the end."""
    source = sys.stdin.buffer
    task: Task = pickle.load(source)
    threading.Thread(target=_end_with, args=(source, task), daemon=True).start()
    os.umask(0o077)
    step_back()
    report = _Reporter(sys.stdout.buffer)
    try:
        report.line({"result": carry_out(task, report)})
    except (KeepProblem, StoreError, OSError, apsw.Error) as error:
        report.line(problem_of(error, task))
    except Exception as error:  # its text may hold anything (AUD-5): only its kind and its place are told
        report.line({"problem": fault_of(error), "reason": "fault"})
    finally:
        if _ENDING.is_set():
            threading.Event().wait()  # the other thread is clearing up, and ends the process


def fault_of(error: Exception) -> str:
    """A fault of ours by its kind and its place."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return f"A fault of ours ({type(error).__name__} at {where}): report it; the mail is not touched by it"


def _end_with(source: IO[bytes], task: Task) -> None:
    source.read()
    _ENDING.set()
    store = task.place.store.path
    while task.work is Work.BACKUP and (store / HOLD).exists():
        release_held(store)  # again while this process still puts names into it
    os._exit(1)


if __name__ == "__main__":
    main()
