"""The book of refused sessions: what `trust explain` finds again under the id that a log line or a reply holds (TRU-8).

A refusal is told on the event loop and only put into memory there; a thread of its own writes what has come up, at most
once a second. Nothing in it is secret: certificates are public, and of texts no INS is kept whole (INS-7).
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from mss_gateway.ports.refused import Refusal, RefusedSession
from mss_gateway.rules.ins import mask_text

KEPT = 1000
"""Refused sessions that are remembered."""

MAX_FILE = 2 * 1024 * 1024
"""Octets of one of the two files on disk."""

MAX_CHAIN = 16 * 1024
"""Octets of certificates kept of one session; of a longer chain only the peer's own, if it fits."""

MAX_MEMORY = 8 * 1024 * 1024
"""Octets of certificates kept of all sessions."""

SAME_FOR = 3600.0
"""Seconds in which the same refusal of the same peer is counted under its first id."""

FILE, BEFORE = "refused.jsonl", "refused.before.jsonl"

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ID = 10  # characters
_TEXT = 255  # characters of a text of the peer's
_PAUSE = 1.0  # seconds between two writes
_TEXTS = ("direction", "peer", "reason", "domain", "tls_version", "tls_cipher", "helo")

Fingerprint = tuple[str, str, str, str, bytes]


class RefusedBook:
    """The last `KEPT` refused sessions, the longest unseen out first; implements `ports.refused.RefusedSessions`.

    With a folder an id still answers after a restart. Opening reads at most twice `MAX_FILE`: do it in a thread. A disk
    that is full or gone costs the memory of it beyond the restart, nothing else.
    """

    def __init__(self, folder: Path | None, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._sessions: OrderedDict[str, RefusedSession] = OrderedDict()
        self._same: dict[Fingerprint, str] = {}
        self._octets = 0
        self._unwritten: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._lock = threading.Lock()  # the loop adds, the writing thread takes
        self._disk = threading.Lock()  # one writer at a time
        self._writer: threading.Timer | None = None
        for line in self._lines():
            self._take_up(line)

    # --- told

    def note(self, refusal: Refusal) -> str:
        """Keep a refusal and return the id of its session; quick, never raises."""
        refusal = _bounded(refusal)
        key = _fingerprint(refusal)
        now = self._clock()
        with self._lock:
            known = self._sessions.get(self._same.get(key, ""))
            if known is not None and now - known.at < SAME_FOR:
                again = replace(known, last_at=now, count=known.count + 1)
                self._sessions[known.id] = again
                self._sessions.move_to_end(known.id)
                if (
                    again.count & (again.count - 1) == 0
                ):  # each doubling, so that a peer that hammers fills no disk
                    self._write_later({"id": again.id, "last_at": now, "count": again.count})
                return known.id
            session = RefusedSession(_new_id(), now, refusal, now)
            self._add(session)
            self._write_later(_record(session))
        return session.id

    # --- asked

    def find(self, session: str) -> RefusedSession | None:
        """The session of an id, case ignored; None when it is not, or no longer, known."""
        return self._sessions.get(session.strip().lower())

    def latest(self, limit: int) -> list[RefusedSession]:
        """The last refused sessions, the latest first."""
        with self._lock:
            found = list(self._sessions.values())
        return found[: -limit - 1 : -1]

    # --- memory

    def _add(self, session: RefusedSession) -> None:
        self._sessions[session.id] = session
        self._same[_fingerprint(session.refusal)] = session.id
        self._octets += _weight(session)
        while len(self._sessions) > KEPT or self._octets > MAX_MEMORY:
            _, old = self._sessions.popitem(last=False)
            self._octets -= _weight(old)
            key = _fingerprint(old.refusal)
            if self._same.get(key) == old.id:
                del self._same[key]

    def _take_up(self, line: RefusedSession | _Again) -> None:
        known = self._sessions.get(line.id)
        if isinstance(line, RefusedSession):
            if known is None:
                self._add(line)
        elif known is not None:
            self._sessions[known.id] = replace(known, last_at=line.last_at, count=line.count)
            self._sessions.move_to_end(known.id)

    # --- disk

    def flush(self) -> None:
        """Write what has come up since the last time. Blocking."""
        with self._disk:
            with self._lock:
                lines = list(self._unwritten)
                self._unwritten.clear()
                self._writer = None
            if lines and self._folder is not None:
                with contextlib.suppress(OSError):
                    _append(self._folder, lines)

    def close(self) -> None:
        """Write the rest and let the thread go. Blocking."""
        if self._writer is not None:
            self._writer.cancel()
        self.flush()

    def _write_later(self, line: dict[str, Any]) -> None:
        if self._folder is None:
            return
        self._unwritten.append(line)
        if self._writer is None:
            self._writer = threading.Timer(_PAUSE, self.flush)
            self._writer.daemon = True
            self._writer.start()

    def _lines(self) -> Iterator[RefusedSession | _Again]:
        for name in (BEFORE, FILE) if self._folder is not None else ():
            assert self._folder is not None
            try:
                with (self._folder / name).open("rb") as file:
                    data = file.read(2 * MAX_FILE)
            except OSError:
                continue
            for octets in data.splitlines():
                line = _line(octets)
                if line is not None:
                    yield line


def _append(folder: Path, lines: Iterable[dict[str, Any]]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / FILE
    waiting = [json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for line in lines]
    while waiting:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            room = MAX_FILE - os.fstat(handle).st_size
            count = _fitting(waiting, room)
            os.write(handle, b"".join(waiting[:count]))
        finally:
            os.close(handle)
        waiting = waiting[count:]
        if waiting:
            path.replace(folder / BEFORE)


def _fitting(lines: list[bytes], room: int) -> int:
    """How many of the lines have room; a whole empty file has room for one, however long."""
    count = 0
    for line in lines:
        room -= len(line)
        if room < 0 and (count or room + len(line) < MAX_FILE):
            break
        count += 1
    return count


def _new_id() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_ID))


def _bounded(refusal: Refusal) -> Refusal:
    """A refusal whose texts and certificates have a size that can be kept, without an INS."""
    chain = refusal.chain
    if sum(map(len, chain)) > MAX_CHAIN:
        chain = tuple(der for der in chain[:1] if len(der) <= MAX_CHAIN)
    return replace(refusal, chain=chain, **{name: _clean(getattr(refusal, name)) for name in _TEXTS})


def _clean(text: str) -> str:
    kept = text[: 2 * _TEXT]  # masking only lengthens: what is cut here cannot be an INS half shown
    if not kept.isprintable():
        kept = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in kept)
    return mask_text(kept)[:_TEXT] if len(kept) >= 13 else kept


def _fingerprint(refusal: Refusal) -> Fingerprint:
    shown = sha256(refusal.chain[0]).digest() if refusal.chain else b""
    return (refusal.direction, refusal.peer, refusal.reason, refusal.domain, shown)


def _weight(session: RefusedSession) -> int:
    return sum(map(len, session.refusal.chain))


def _record(session: RefusedSession) -> dict[str, Any]:
    refusal = asdict(session.refusal)
    refusal["chain"] = [base64.b64encode(der).decode("ascii") for der in session.refusal.chain]
    return {"id": session.id, "at": session.at, **refusal}


@dataclass(frozen=True, slots=True)
class _Again:
    """A session that was seen again."""

    id: str
    last_at: float
    count: int


def _line(octets: bytes) -> RefusedSession | _Again | None:
    """A line of the file, None when it is none: it was cut short, or somebody has been at it."""
    try:
        line = json.loads(octets)
        if not isinstance(line, dict) or not isinstance(line["id"], str):
            return None
        if "reason" in line:
            return _session(line)
        return _Again(line["id"], float(line["last_at"]), int(line["count"]))
    except (ValueError, KeyError, TypeError):
        return None


def _session(line: dict[str, Any]) -> RefusedSession:
    texts = {name: line[name] for name in _TEXTS}
    if not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("a text is not a text")
    chain = tuple(base64.b64decode(text, validate=True) for text in line["chain"])
    at = float(line["at"])
    return RefusedSession(line["id"], at, _bounded(Refusal(chain=chain, **texts)), at)
