"""What one IMAP connection knows: who, which boxes, which folder, and what the client has been told."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mss_gateway.net.stream import Stream
from mss_gateway.observe.log import Log
from mss_gateway.pipeline.auditing import Reads
from mss_gateway.pipeline.filing import Filing
from mss_gateway.pipeline.login import Login
from mss_gateway.pipeline.notes import Notes
from mss_gateway.pipeline.sasl import Exchange
from mss_gateway.ports.access import Access
from mss_gateway.ports.identity import Principal
from mss_gateway.ports.mailboxes import Folder, Mailboxes, Viewer
from mss_gateway.ports.records import BoxRow
from mss_gateway.ports.tree import TreeAct, TreeEvent
from mss_gateway.protocol.imap import Ending, ImapServer, responses
from mss_gateway.protocol.imap.comparators import DEFAULT, Comparator
from mss_gateway.protocol.imap.fetchitems import FetchItem
from mss_gateway.protocol.imap.tracker import SequenceView
from mss_gateway.rules.exchange import SHARED_TYPES

from .deeds import Deeds
from .hub import Hub
from .options import ImapdOptions

if TYPE_CHECKING:
    from .contexts import Context
    from .notifier import Notifier

NOPERM = b"NOPERM"


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
    notes: Notes | None = None  # where the functional trace goes (AUD-1)
    reads: Reads = "all"


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
    held_from: int = 0  # the mod-sequence before the first of `held`
    rights: frozenset[str] = frozenset()  # as the client knows them from PERMANENTFLAGS


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
        self.comparator: Comparator = DEFAULT  # what texts are searched by (RFC 5255)
        self.followers: list[Follower] = []
        self.forerunners: list[Follower] = []  # hear of expunges before the client, by numbers that hold
        self.contexts: list[Context] = []  # live searches of the folder in hand (RFC 5267)
        self.exchange: Exchange | None = None  # the AUTHENTICATE under way
        self.failed_logins = 0
        self.started = time.monotonic()  # since when it has not been logged in
        self.access: dict[tuple[int, int], Access | None] = {}  # by person and box, as imapd.rights read it
        self.access_generation = -1
        self.notifier: Notifier | None = None  # what NOTIFY has asked for (RFC 5465)
        self.announce: Follower | None = None  # sends what NOTIFY and UPDATE have asked of messages
        self.owed: dict[int, tuple[FetchItem, ...]] = {}  # what UPDATE has asked, by UID
        self._generation = 0
        self.doing = ""  # the kind of the command in hand
        self._deeds = Deeds(parts.notes, parts.reads, stream.host)

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
        if self.principal is not None and not login.still_shown(self.stream, self.principal):
            return False
        known = self.principal is None or generation == self._generation
        if not known and not await login.still(self.who):
            return False
        self._generation = generation
        return True

    @property
    def ended(self) -> bool:
        """Has the time come that was given to who is logged in (ECO.1.2.6)?"""
        return self.principal is not None and 0.0 < self.principal.until <= time.time()

    @property
    def outdated(self) -> bool:
        """Has the directory changed since `admitted` was asked?"""
        return self.parts.login.generation != self._generation

    @property
    def muted(self) -> bool:
        """Has the client asked to hear nothing of the messages in the folder in hand (RFC 5465 section 3.1)?"""
        return self.notifier is not None and self.notifier.muted

    def listen(self, notifier: Notifier | None) -> None:
        """From now on NOTIFY says what the client hears; None ends that."""
        if self.notifier is not None:
            self.notifier.close()
        self.notifier = notifier

    def owe(self, uids: Iterable[int], items: tuple[FetchItem, ...]) -> None:
        """A live search has told of these messages, and is to send this of them (RFC 5465 section 7)."""
        for uid in uids:
            self.owed[uid] = (*self.owed.get(uid, ()), *items)

    def made(self, folder_id: int, uids: Iterable[int]) -> None:
        """The client has just put these messages into a folder: it knows them (RFC 5465 section 5.2)."""
        notifier, selected = self.notifier, self.selected
        if notifier is None or notifier.selected is None or not notifier.selected.items:
            return
        if selected is not None and selected.folder.id == folder_id:
            notifier.own.update(uids)

    def viewer(self, box: BoxRow) -> Viewer:
        """Whose `\\Seen` is meant in this box (BAL-3)."""
        return Viewer(self.who.person_id, shared=box.type in SHARED_TYPES)

    def use_modseq(self) -> None:
        """A command that enables CONDSTORE has come: with a folder in hand, the client hears once how far it has
        been told (RFC 7162 section 3.1)."""
        if self.condstore:
            return
        self.condstore = True
        if (selected := self.selected) is not None:
            known = selected.held_from if selected.held else selected.modseq
            self.send(responses.ok("mod-sequences from here", b"HIGHESTMODSEQ %d" % known))

    def forget(self) -> None:
        """UNAUTHENTICATE: all but TLS is as on a new connection (RFC 8437 section 3)."""
        self.leave()
        self.listen(None)
        self.principal = None
        self.condstore = self.qresync = self.uidonly = self.rev2 = False
        self.comparator = DEFAULT
        self.exchange = None
        self.access.clear()
        self.access_generation = -1
        self.started = time.monotonic()

    def did(self, event: str, request: str, uids: Sequence[int] = (), *, count: int = 0) -> None:
        """The one logged in did this in the folder in hand (AUD-1)."""
        selected = self.folder
        place = (selected.folder.box_id, selected.folder.id, selected.viewer.shared)
        self._deeds.did(self.who, place, event, request, uids, count=count)

    def added(self, folder: Folder, viewer: Viewer, request: str, uids: Sequence[int]) -> None:
        """The one logged in put messages into a folder (AUD-1)."""
        place = (folder.box_id, folder.id, viewer.shared)
        self._deeds.did(self.who, place, "mailbox-added", request, uids)

    def was_refused(self, reason: str) -> None:
        """The command in hand was refused: told of the mailbox in hand, or else of the main one (AUD-1)."""
        if self.principal is None:
            return
        selected = self.selected
        place = (
            (selected.folder.box_id, selected.folder.id, selected.viewer.shared)
            if selected is not None
            else (self.principal.primary.id, 0, False)
        )
        self._deeds.did(
            self.principal, place, "mailbox-refused", self.doing, reason=reason or "refused", count=1
        )

    def tell_deeds(self) -> None:
        """What was gathered for the functional trace is written now: the session ends."""
        self._deeds.flush()

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
        self.parts.hub.watch(selected.folder.id, self)
        self.parts.hub.watch_box(selected.folder.box_id, self)

    def leave(self) -> None:
        """Let the folder go."""
        if self.selected is not None:
            self.parts.hub.forget(self.selected.folder.id, self)
            self.parts.hub.forget_box(self.selected.folder.box_id, self)
            self.selected = None
        self.followers.clear()
        self.forerunners.clear()
        self.contexts.clear()
        self.owed = {}

    def folder_changed(self, folder_id: int) -> None:
        """The folder in hand has changed (a `hub.Watcher`)."""
        if self.selected is not None and not self.muted:
            self.selected.dirty = True

    def wake(self) -> None:
        """Tell it now, if the client waits for that."""
        self.stream.wake()

    def tree_changed(self, event: TreeEvent) -> None:
        """Something about its box has: who may no longer listen is to hear that at once."""
        if event.act is TreeAct.RIGHTS:
            self.stream.wake()
