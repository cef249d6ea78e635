"""What the schedule asks for: the watched file when it has changed, the address when it is due (domain 15.1).

An import keeps a processor busy for many seconds. The gateway therefore has it done by another process:
`python -m mss_gateway.directory.updating`, options on standard input, outcome on standard output.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .copies import Attempt, Copies
from .fetching import fetch
from .importing import import_file
from .options import DirectoryOptions
from .problems import DirectoryProblem

FIRST_RETRY = 60.0  # seconds after the first failure; doubled by each one that follows
JITTER = 0.1  # share of the interval by which a fetch may come early
SETTLED = 2.0  # seconds that a watched file must have been left alone: it may still be on its way
LIMIT = 3600.0  # seconds for fetch and import together
_HELD = frozenset({"directory-mass-removal", "directory-older", "directory-bad-lines"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one update ended: another copy is in force (`changed`), nothing new, or `reason` and `sentence`."""

    source: str
    changed: bool = False
    rows: int = 0
    refused: int = 0
    reason: str = ""
    sentence: str = ""


def due(options: DirectoryOptions, now: float) -> str:
    """`file`, `url` or nothing: what is to be done now. Blocking for a look at the disk."""
    attempt = Copies(options.state).attempt()
    if options.file is not None and _file_changed(options.file, attempt, now):
        return "file"
    if options.url and (now >= attempt.due_at or attempt.due_at - now > max(options.every, FIRST_RETRY)):
        return "url"
    return ""


def update(options: DirectoryOptions, what: str, clock: Callable[[], float] = time.time) -> Outcome:
    """Do it; what goes wrong is in the outcome and the record, and the copy in force stays. Blocking, long."""
    copies = Copies(options.state)
    if what == "file" and options.file is not None:
        copies.note(file_mark=_mark(options.file))
        return _imported(options, options.file)
    before = copies.attempt()
    try:
        fetched = fetch(options, copies.fetched, before.etag, before.modified)
    except DirectoryProblem as problem:
        now = clock()
        copies.note(
            tried_at=now,
            source=options.url,
            reason=problem.reason,
            sentence=problem.sentence,
            failures=before.failures + 1,
            due_at=now + _wait(options, before.failures),
        )
        return Outcome(options.url, reason=problem.reason, sentence=problem.sentence)
    now = clock()
    later = now + options.every * (1.0 - JITTER * random.random())
    if fetched is None:  # what was said of the file that the publisher still has remains
        settled = {} if before.reason in _HELD else {"failures": 0, "reason": "", "sentence": ""}
        copies.note(tried_at=now, due_at=later, **settled)
        return Outcome(options.url)
    outcome = _imported(options, copies.fetched, fetched.name, fetched.dated)
    if (
        not outcome.reason or outcome.reason in _HELD
    ):  # one that waits for a person is not fetched again and again
        copies.note(due_at=later, etag=fetched.etag, modified=fetched.modified)
        if outcome.reason:
            outcome = replace(outcome, sentence=f"{copies.fetched}: {outcome.sentence}")
            copies.note(sentence=outcome.sentence)
    else:
        copies.note(due_at=now + _wait(options, before.failures), etag="", modified="")
    if not outcome.reason:
        copies.fetched.unlink(missing_ok=True)
    return outcome


async def update_apart(options: DirectoryOptions, what: str) -> Outcome:
    """The same in another process, which is ended with this task, or when it takes longer than `LIMIT`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mss_gateway.directory.updating",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    question = json.dumps({"what": what, "options": asdict(options)}, default=str).encode()
    try:
        async with asyncio.timeout(LIMIT):
            answer, _ = await process.communicate(question)
        told: dict[str, Any] = json.loads(answer)
        return Outcome(**told)
    except (TimeoutError, ValueError, TypeError):
        return await asyncio.to_thread(_failed, options, what)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def options_of(told: dict[str, Any]) -> DirectoryOptions:
    """Options that came as JSON; the API is asked by nobody here."""
    paths = {"state": Path(told["state"]), "file": Path(told["file"]) if told["file"] else None}
    authorities = tuple(Path(one) for one in told["ca_files"])
    return DirectoryOptions(**{**told, **paths, "ca_files": authorities, "fhir": None})


def _imported(options: DirectoryOptions, path: Path, name: str = "", dated: float = 0.0) -> Outcome:
    try:
        report = import_file(options, path, name=name, dated=dated, scheduled=True)
    except DirectoryProblem as problem:
        return Outcome(name or path.name, reason=problem.reason, sentence=problem.sentence)
    return Outcome(report.meta.source, report.changed, report.meta.rows, report.meta.refused)


def _failed(options: DirectoryOptions, what: str) -> Outcome:
    """The other process has died, or was ended: that is noted, so that it is not begun again at once."""
    copies, now = Copies(options.state), time.time()
    failures = copies.attempt().failures
    sentence = "the import did not come to its end: it is tried again; do it by hand to see more"
    copies.note(
        tried_at=now,
        source=what,
        reason="directory-failed",
        sentence=sentence,
        failures=failures + 1,
        due_at=now + _wait(options, failures),
    )
    return Outcome(what, reason="directory-failed", sentence=sentence)


def _wait(options: DirectoryOptions, failures: int) -> float:
    wait = min(FIRST_RETRY * 2.0 ** min(failures, 16), max(options.every, FIRST_RETRY))
    return wait * (1.0 - JITTER * random.random())


def _file_changed(path: Path, attempt: Attempt, now: float) -> bool:
    try:
        settled = now - path.stat().st_mtime >= SETTLED
        return settled and _mark(path) != attempt.file_mark
    except OSError:
        return False


def _mark(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_ino}:{status.st_mtime_ns}:{status.st_size}"


def main() -> None:
    """One update, at low priority."""
    with contextlib.suppress(OSError):
        os.nice(10)
    question = json.load(sys.stdin)
    outcome = update(options_of(question["options"]), question["what"])
    json.dump(asdict(outcome), sys.stdout)


if __name__ == "__main__":
    main()
