"""Who is to be told, unasked, that annotations have changed (RFC 5464 section 4.4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from mss_gateway.ports.annotations import PRIVATE
from mss_gateway.ports.identity import Principal

if TYPE_CHECKING:
    from .session import Session

MOST = 1000
"""Changes kept for one session until it may be told; of more it hears nothing, and reads anew when it wants to."""


@dataclass(slots=True)
class Told:
    """What one session is to be told: entries by (box id, folder id)."""

    principal: Principal
    pending: dict[tuple[int, int], dict[str, None]] = field(default_factory=dict)


class Notices:
    """Sessions that have said ENABLE METADATA, with what has changed since they were told."""

    def __init__(self) -> None:
        self._watching: WeakKeyDictionary[Session, Told] = WeakKeyDictionary()

    def watch(self, session: Session) -> None:
        """Tell this session of what others change."""
        told = self._watching.get(session)
        if told is None or told.principal is not session.who:
            self._watching[session] = Told(session.who)

    def changed(self, by: Session, box_id: int, folder_id: int, names: Iterable[str]) -> None:
        """Entries are different now: note it for everybody whom it concerns but `by`; box 0 is the server."""
        listed = sorted(names)
        for session, told in self._watching.items():
            # Not the same session: somebody else has logged in on the connection, or nobody (RFC 8437).
            if session is by or session.principal is not told.principal:
                continue
            if box_id and all(box.id != box_id for box in told.principal.boxes):
                continue
            own = told.principal.person_id == by.who.person_id
            seen = [name for name in listed if own or not name.startswith(PRIVATE)]
            if seen and sum(map(len, told.pending.values())) < MOST:
                told.pending.setdefault((box_id, folder_id), {}).update(dict.fromkeys(seen))
                session.stream.wake()

    def waiting(self, session: Session) -> bool:
        """Is there something to tell?"""
        told = self._watching.get(session)
        return told is not None and bool(told.pending) and session.principal is told.principal

    def take(self, session: Session) -> dict[tuple[int, int], dict[str, None]]:
        """What is to be told, once."""
        told = self._watching.get(session)
        if told is None:
            return {}
        pending, told.pending = told.pending, {}
        return pending
