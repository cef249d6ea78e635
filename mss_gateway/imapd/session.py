"""What one IMAP connection knows: who, which boxes, which folder, and what the client has been told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from mss_gateway.net.stream import Stream
from mss_gateway.observe.log import Log
from mss_gateway.pipeline.filing import Filing
from mss_gateway.pipeline.login import Login
from mss_gateway.ports.identity import Principal
from mss_gateway.ports.mailboxes import Folder, Mailboxes, Viewer
from mss_gateway.ports.records import BoxRow
from mss_gateway.protocol.imap import Ending, ImapServer
from mss_gateway.protocol.imap.tracker import SequenceView
from mss_gateway.rules.exchange import SHARED_TYPES

from .hub import Hub
from .options import ImapdOptions

NOPERM = b"NOPERM"
NO_DELETING = "A carer reads and answers, but deletes nothing"


class CommandFailed(Exception):
    """A command ends with NO or BAD; `code` is its response code without brackets."""

    def __init__(self, text: str, code: bytes = b"", ending: Ending = Ending.NO) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.ending = ending


@dataclass(frozen=True, slots=True)
class Parts:
    """What every session of a door is built from."""

    mailboxes: Mailboxes
    login: Login
    filing: Filing
    hub: Hub
    log: Log
    options: ImapdOptions


@dataclass(slots=True)
class Selected:
    """The folder in hand. `modseq` is how far the client has been told; `held` waits for a moment
    when EXPUNGE may be sent; `told` keeps flag changes already answered, by UID."""

    folder: Folder
    viewer: Viewer
    view: SequenceView
    read_only: bool
    modseq: int
    keywords: set[str]
    dirty: bool = False
    held: list[int] = field(default_factory=list)
    told: dict[int, int] = field(default_factory=dict)
    keeps: bool = False  # whoever is logged in may not delete here (PAT-6)


@dataclass(frozen=True, slots=True)
class News:
    """UIDs of the folder in hand about which the client has just been told."""

    added: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()
    vanished: tuple[int, ...] = ()


Follower = Callable[[News], Awaitable[None]]
"""Hears of what the client has been told, to tell more: search contexts (RFC 5267), NOTIFY (RFC 5465)."""


class Session:
    """One client's state; the command families read and change it."""

    def __init__(self, core: ImapServer, stream: Stream, parts: Parts) -> None:
        self.core = core
        self.stream = stream
        self.parts = parts
        self.mailboxes = parts.mailboxes
        self.principal: Principal | None = None
        self.selected: Selected | None = None
        self.condstore = False
        self.qresync = False  # expunges are told as VANISHED (RFC 7162)
        self.uidonly = False  # no message number is sent or taken (RFC 9586)
        self.rev2 = False
        self.followers: list[Follower] = []
        self.mechanism = ""
        self.failed_logins = 0
        self._generation = 0
        self._changed: Callable[[], None] = self._note_change

    @property
    def who(self) -> Principal:
        """The one logged in; only called where the core has checked the state."""
        assert self.principal is not None
        return self.principal

    @property
    def folder(self) -> Selected:
        """The folder in hand; only called where the core has checked the state."""
        assert self.selected is not None
        return self.selected

    async def admitted(self) -> bool:
        """Whether the one logged in may go on: a suspended or closed box, or a new password, ends it (BAL-5)."""
        login = self.parts.login
        generation = login.generation
        known = self.principal is None or generation == self._generation
        if not known and not await login.still(self.who):
            return False
        self._generation = generation
        return True

    def viewer(self, box: BoxRow) -> Viewer:
        """Whose `\\Seen` is meant in this box (BAL-3)."""
        return Viewer(self.who.person_id, shared=box.type in SHARED_TYPES)

    def check_deleting(self, box_id: int) -> None:
        """Raise `CommandFailed` in the box of a patient for whom one only cares (PAT-6, RFC 5530)."""
        if box_id in self.who.carer_of:
            raise CommandFailed(NO_DELETING, NOPERM)

    def send(self, data: bytes) -> None:
        """Queue untagged data."""
        self.core.send(data)

    async def flush(self) -> None:
        """Write what is queued; waits for a slow client under the deadline."""
        data = self.core.data_to_send()
        if data:
            self.stream.write(data)
            if self.stream.write_blocked:
                await self.stream.drain(self.parts.options.deadlines.write)

    def open(self, selected: Selected) -> None:
        """Take a folder in hand and hear of its changes."""
        self.leave()
        self.selected = selected
        self.parts.hub.watch(selected.folder.id, self._changed)

    def leave(self) -> None:
        """Let the folder go."""
        if self.selected is not None:
            self.parts.hub.forget(self.selected.folder.id, self._changed)
            self.selected = None
        self.followers.clear()

    def _note_change(self) -> None:
        if self.selected is not None:
            self.selected.dirty = True
            self.stream.wake()
