"""The copies of the directory on disk: the one in force, the one before, and what was tried last (OPS-5).

Each change is one rename, so that a reader, or a start after a kill, always finds a whole copy in force.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from mss_gateway.observe.durable import sync

from .problems import DirectoryProblem

NAME = "annuaire"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last import by file, address or hand, and when the address is due; times in epoch seconds (0: never).

    `reason` and `sentence` are empty when it went well; `etag` and `modified` are the publisher's marks.
    """

    tried_at: float = 0.0
    done_at: float = 0.0
    source: str = ""
    reason: str = ""
    sentence: str = ""
    failures: int = 0
    due_at: float = 0.0
    etag: str = ""
    modified: str = ""
    file_mark: str = ""


class Copies:
    """Where everything lies under the state folder; raises `DirectoryProblem` for a folder that cannot be used."""

    def __init__(self, state: Path) -> None:
        self.current = state / f"{NAME}.db"
        self.previous = state / f"{NAME}-previous.db"
        self.new = state / f"{NAME}-new.db"
        self.fetched = state / f"{NAME}-fetched"
        self.seen = state / f"{NAME}-seen.db"
        self._record = state / f"{NAME}.json"
        self._lock = state / f"{NAME}.lock"
        self._state = state

    @contextlib.contextmanager
    def importing(self) -> Iterator[None]:
        """One import at a time, whichever process does it."""
        with _told(self._state):
            self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                sentence = "another import of the directory is under way: wait for its end"
                raise DirectoryProblem("directory-busy", sentence) from None
            yield
        finally:
            os.close(handle)

    def put_in_force(self) -> None:
        """The new copy comes in force; the one that was is kept."""
        with _told(self._state):
            self.new.chmod(0o600)
            sync(self.new)
            if self.current.exists():
                self._link(self.current, self.previous)
            self.new.replace(self.current)
            sync(self._state)

    def go_back(self) -> None:
        """Change the copy in force with the one before."""
        if not self.previous.exists():
            sentence = "there is no copy before the one in force"
            raise DirectoryProblem("directory-no-previous", sentence)
        with _told(self._state):
            if not self.current.exists():
                self.previous.replace(self.current)
                return
            self._link(self.current, self.new)
            self.previous.replace(self.current)
            self.new.replace(self.previous)
            sync(self._state)

    def attempt(self) -> Attempt:
        """What was tried last; a record that cannot be read says nothing."""
        try:
            found = json.loads(self._record.read_bytes())
            kinds = {one.name: type(one.default) for one in fields(Attempt)}
            kept = {name: found[name] for name, kind in kinds.items() if isinstance(found.get(name), kind)}
            return Attempt(**kept)
        except (OSError, ValueError, TypeError, AttributeError):
            return Attempt()

    def note(self, **changes: object) -> Attempt:
        """Change the record of what was tried."""
        attempt = replace(self.attempt(), **changes)  # type: ignore[arg-type]
        beside = self._record.with_name(f".{self._record.name}.new")
        with _told(self._state):
            self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside.write_text(json.dumps(asdict(attempt), indent=1), encoding="utf-8")
            beside.replace(self._record)
        return attempt

    def _link(self, original: Path, name: Path) -> None:
        """A second name for a file, put in the place of what had that name."""
        beside = name.with_name(f".{name.name}.new")
        beside.unlink(missing_ok=True)
        beside.hardlink_to(original)
        beside.replace(name)


@contextlib.contextmanager
def _told(state: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = (error.strerror or "error").lower()
        sentence = (
            f"{state}: the copies of the directory cannot be kept ({why}): check the folder and the disk"
        )
        raise DirectoryProblem("directory-disk", sentence) from None
