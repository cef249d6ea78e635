"""The embedded store: each call of the port is one job of one of the two threads."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from mss_gateway.ports.alerts import DueAlert, SettledAlert
from mss_gateway.ports.mailboxes import (
    Changes,
    Copied,
    FlagChange,
    Folder,
    FolderStatus,
    MessageRow,
    NewAppend,
    Snapshot,
    Stored,
    Viewer,
    Want,
)
from mss_gateway.ports.outbox import Claimed, Interrupted, Lease, Share
from mss_gateway.ports.queue import DomainQueue, Selection
from mss_gateway.ports.records import (
    BoxChoices,
    BoxRow,
    Channel,
    ChannelChange,
    Delivery,
    Membership,
    Opened,
    Person,
    Placed,
    Queued,
    TraceLine,
)
from mss_gateway.ports.store import (
    AlertListener,
    BoxListener,
    FolderListener,
    OpenedListener,
    OutboxListener,
    StoreError,
)
from mss_gateway.ports.tree import TreeAct, TreeEvent
from mss_gateway.rules.facts import BoxState, ChannelFacts, ChannelState
from mss_gateway.rules.ins import mask_text

from . import (
    acting,
    bodies,
    channels,
    claims,
    deliveries,
    directory,
    folders,
    opening,
    outbox,
    receipts,
)
from . import alerts as telling
from . import flags as marking
from . import messages as reading
from . import queue as backlog
from . import trace as timeline
from .engine import Engine, News, Writer
from .glance import GlanceRows
from .index import TextIndex
from .lines import LineRows
from .options import SqliteOptions
from .remembered import Remembered
from .removed import RemovedStore
from .store_access import AccessRows
from .store_append import AppendRows
from .store_audit import AuditRows
from .store_encryption import EncryptedRows
from .store_http import OpsRows
from .store_identities import IdentityRows
from .store_imports import ImportStore
from .store_index import TextRows
from .store_keeping import KeepingRows
from .store_login import LoginRows
from .store_notes import NotesStore
from .store_people import PeopleStore
from .store_quotas import QuotaStore
from .store_resync import ResyncRows
from .store_search import SearchRows
from .store_sort import SortRows
from .store_tidy import TidyRows
from .store_tree import TreeRows
from .takeovers import TakeoverStore

T = TypeVar("T")


class SqliteStore(
    AccessRows,
    AuditRows,
    IdentityRows,
    LineRows,
    LoginRows,
    NotesStore,
    ImportStore,
    PeopleStore,
    QuotaStore,
    RemovedStore,
    ResyncRows,
    SearchRows,
    SortRows,
    AppendRows,
    EncryptedRows,
    TextRows,
    KeepingRows,
    GlanceRows,
    TakeoverStore,
    TreeRows,
    OpsRows,
    TidyRows,
):
    """Implements `ports.store.Store` on one folder of files."""

    def __init__(self, options: SqliteOptions) -> None:
        self._engine = Engine(options)
        self._engine.after_commit = self._after_commit
        self._remembered = Remembered(self._engine)
        self._index = TextIndex(self._engine)
        self._noted = {}
        self._folder_listeners: list[FolderListener] = []
        self._tree_listeners = []
        self._directory_listeners: list[BoxListener] = []
        self._opened_listeners: list[OpenedListener] = []
        self._outbox_listeners: list[OutboxListener] = []
        self._alert_listeners: list[AlertListener] = []

    async def open(self) -> None:
        """Open, migrate and recover."""
        await self._engine.open()
        await self._index.open()

    async def close(self) -> None:
        """Finish what is under way and close."""
        await self._index.close()
        await self._engine.close()

    def on_folder_change(self, listener: FolderListener) -> None:
        """Hear of every folder that a commit changed."""
        self._folder_listeners.append(listener)

    def on_directory_change(self, listener: BoxListener) -> None:
        """Hear of every commit that changed the directory."""
        self._directory_listeners.append(listener)

    def on_opened(self, listener: OpenedListener) -> None:
        """Hear of every commit after which a receipt is due to be written."""
        self._opened_listeners.append(listener)

    def on_outbox(self, listener: OutboxListener) -> None:
        """Hear of every commit that queued something for another operator."""
        self._outbox_listeners.append(listener)

    def on_alert(self, listener: AlertListener) -> None:
        """Hear of every commit after which a patient is to be told outside."""
        self._alert_listeners.append(listener)

    def _after_commit(self, news: News) -> None:
        if news.directory or news.tree:
            self._remembered.forget()
        for answer in self._opened_listeners if news.opened else ():
            answer()
        for send in self._outbox_listeners if news.queued else ():
            send()
        for alert in self._alert_listeners if news.alerts else ():
            alert()
        for folder_id, modseq in news.folders.items():
            for listener in self._folder_listeners:
                listener(folder_id, modseq)
        self._tell_tree(news.tree)
        self._index.changed(news.folders)
        if news.directory:
            for forget in self._directory_listeners:
                forget()

    # --- acceptance, outbox, trace

    async def accept(self, delivery: Delivery) -> tuple[Placed, ...]:
        """Commit a delivery durably."""
        return await self._engine.write(lambda w: deliveries.accept(w, delivery))

    async def claim(self, lease: Lease, share: Share) -> list[Claimed]:
        """Lease what is due."""
        return await self._engine.write(lambda w: claims.claim(w, lease, share))

    async def extend(self, lease: str, ids: Sequence[int], until: float) -> bool:
        """Hold leased rows longer."""
        return await self._engine.write(lambda w: outbox.extend(w, lease, ids, until))

    async def void_leases(self, now: float, node: str = "") -> list[Interrupted]:
        """End every lease of a node's former run."""
        return await self._engine.write(lambda w: outbox.void_leases(w, now, node))

    async def next_due(self, busy: Collection[str] = ()) -> float | None:
        """When the next row of a domain that is not busy is due."""
        return await self._engine.read(lambda db: outbox.next_due(db, busy))

    # --- the outbox in the hands of ops

    async def queued(self, selection: Selection, limit: int = 1000, after: int = 0) -> list[Queued]:
        """Selected rows with an id above `after`."""
        return await self._engine.read(lambda db: backlog.queued(db, selection, limit, after))

    async def queue_by_domain(self) -> list[DomainQueue]:
        """What waits for each domain."""
        return await self._engine.read(backlog.queue_by_domain)

    async def retry_rows(self, selection: Selection, now: float, trace: TraceLine, limit: int = 1000) -> int:
        """Make rows due now."""
        return await self._change_rows(selection, backlog.RETRY, {"now": now}, trace, limit)

    async def hold_rows(self, selection: Selection, trace: TraceLine, limit: int = 1000) -> int:
        """Keep rows back; the reason is the trace line's `reason`."""
        reason = mask_text(str(trace.detail.get("reason", "")))
        return await self._change_rows(selection, backlog.HOLD, {"reason": reason}, trace, limit)

    async def release_rows(
        self, selection: Selection, now: float, trace: TraceLine, limit: int = 1000
    ) -> int:
        """Let held rows go."""
        return await self._change_rows(selection, backlog.RELEASE, {"now": now}, trace, limit)

    async def _change_rows(
        self,
        selection: Selection,
        change: backlog.Change,
        values: backlog.Values,
        trace: TraceLine,
        limit: int,
    ) -> int:
        # Rows found may have changed before the writer comes to them: 0 is the answer only when none is found.
        while ids := await self._engine.read(
            lambda db: backlog.find(db, selection, change.concerns, values, limit)
        ):
            run = partial(backlog.change, ids=ids, change=change, values=values, trace=trace)
            if count := await self._engine.write(run):
                return count
        return 0

    async def claim_rows(self, lease: Lease, selection: Selection, limit: int = 100) -> list[Claimed]:
        """Lease rows that nobody carries, for ending them by hand."""
        while ids := await self._engine.read(
            lambda db: backlog.find(db, selection, claims.NOBODY_CARRIES, {"now": lease.now}, limit)
        ):
            if letters := await self._engine.write(partial(claims.claim_rows, lease=lease, ids=ids)):
                return letters
        return []

    async def write_trace(self, lines: Sequence[TraceLine]) -> None:
        """Append lines durably."""
        await self._engine.write(lambda w: timeline.insert_trace(w.db, lines))

    async def trace(
        self,
        message_id: str | None = None,
        limit: int = 1000,
        *,
        transaction: str | None = None,
        box_id: int | None = None,
    ) -> list[TraceLine]:
        """Lines of one Message-ID, of one transaction, or the latest ones."""
        return await self._engine.read(
            lambda db: timeline.read_trace(db, message_id, limit, transaction=transaction, box_id=box_id)
        )

    async def opened(self, limit: int = 100) -> list[Opened]:
        """Receipts whose message was opened and whose MDN is not written yet."""
        return await self._engine.read(lambda db: receipts.opened(db, limit))

    # --- alerts

    async def due_alerts(self, now: float, limit: int = 100) -> list[DueAlert]:
        """Boxes whose patient is to be told by now."""
        return await self._engine.read(lambda db: telling.due_alerts(db, now, limit))

    async def settle_alerts(self, settled: Sequence[SettledAlert], trace: Sequence[TraceLine] = ()) -> None:
        """Write what became of alerts, traced."""

        def job(writer: Writer) -> None:
            telling.settle_alerts(writer, settled)
            timeline.insert_trace(writer.db, trace)

        await self._engine.write(job)

    async def next_alert(self) -> float | None:
        """When the next alert is due."""
        return await self._engine.read(telling.next_alert)

    # --- channels

    async def channel(self, patient: str, bal: str) -> ChannelFacts:
        """State and version."""
        return await self._engine.read(lambda db: channels.read_channel(db, patient, bal))

    async def channels(
        self, patient: str | None = None, bal: str | None = None, limit: int = 1000
    ) -> list[Channel]:
        """Channels, latest change first."""
        return await self._engine.read(lambda db: channels.list_channels(db, patient, bal, limit))

    async def silent_channels(self, bal: str, since: float, limit: int = 100) -> list[Channel]:
        """Open channels of a BAL without traffic since then."""
        return await self._engine.read(lambda db: channels.silent_channels(db, bal, since, limit))

    async def set_channel(
        self, patient: str, bal: str, state: ChannelState, cause: str, trace: TraceLine
    ) -> Channel:
        """Set the state by hand."""

        def job(writer: Writer) -> Channel:
            channels.apply_change(writer, ChannelChange(patient, bal, state, cause), trace.at)
            return channels.list_channels(writer.db, patient, bal, 1)[0]

        return await self._traced(trace, job)

    # --- directory

    async def box(self, key: str) -> BoxRow | None:
        """The box of an address key."""
        return await self._engine.read(lambda db: directory.box_by_key(db, key))

    async def box_by_id(self, box_id: int) -> BoxRow | None:
        """The box of an id."""
        return await self._remembered.read(("box", box_id), lambda db: directory.box_by_id(db, box_id))

    async def boxes(self, types: Sequence[str] | None = None, limit: int = 10_000) -> list[BoxRow]:
        """Boxes by address."""
        return await self._engine.read(lambda db: directory.boxes(db, types, limit))

    async def set_box_state(self, box_id: int, state: BoxState, reason: str, trace: TraceLine) -> BoxRow:
        """Change the state."""
        return await self._traced(
            trace, lambda w: directory.set_box_state(w, box_id, state, reason, trace.at)
        )

    async def set_box_choices(self, box_id: int, choices: BoxChoices, trace: TraceLine) -> BoxRow:
        """Change what may be changed of a box."""
        return await self._traced(trace, lambda w: directory.set_box_choices(w, box_id, choices))

    async def purge_box(self, box_id: int, reason: str, trace: TraceLine) -> BoxRow:
        """Remove everything of a box but its address."""
        return await self._traced(trace, lambda w: directory.purge_box(w, box_id, reason, trace.at))

    async def add_person(
        self, login: str, name: str, national_id: str, password_hash: str, trace: TraceLine
    ) -> Person:
        """Register a person."""
        return await self._traced(
            trace, lambda w: directory.add_person(w, login, name, national_id, password_hash)
        )

    async def person(self, login: str) -> Person | None:
        """The person of a login."""
        return await self._remembered.read(("person", login), lambda db: directory.person_by_login(db, login))

    async def persons(self, ids: Sequence[int]) -> list[Person]:
        """Persons of these ids."""
        return await self._engine.read(lambda db: directory.persons(db, ids))

    async def add_member(self, box_id: int, person_id: int, role: str, trace: TraceLine) -> None:
        """Tie a person to a box."""
        sql = "INSERT INTO members VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET role = ?3"
        await self._change(trace, sql, (box_id, person_id, role), box_id)

    async def remove_member(self, box_id: int, person_id: int, trace: TraceLine) -> None:
        """Untie a person from a box."""
        await self._change(
            trace, "DELETE FROM members WHERE box_id = ? AND person_id = ?", (box_id, person_id), box_id
        )

    async def memberships(
        self, *, person_id: int | None = None, box_id: int | None = None
    ) -> list[Membership]:
        """Ties of a person or of a box."""
        key = ("ties", person_id, box_id)
        return list(await self._remembered.read(key, lambda db: directory.memberships(db, person_id, box_id)))

    async def add_certificate(self, box_id: int, dn_key: str, dn: str, trace: TraceLine) -> None:
        """Register a certificate for an APP box."""
        sql = "INSERT INTO certificates VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET dn = ?3"
        await self._change(trace, sql, (dn_key, box_id, dn))

    async def boxes_of_certificate(self, dn_key: str) -> list[BoxRow]:
        """The boxes that a certificate may use."""
        return await self._engine.read(lambda db: directory.boxes_of_certificate(db, dn_key))

    async def _change(
        self, line: TraceLine, sql: str, values: tuple[str | int, ...], members_of: int = 0
    ) -> None:
        """One statement on the directory, traced."""

        def job(writer: Writer) -> None:
            writer.db.execute(sql, values)
            if writer.db.changes() == 0 and sql.startswith("UPDATE"):
                raise StoreError("there is nobody of that number")
            writer.directory_changed = True
            if members_of:
                writer.tree.append(TreeEvent(members_of, TreeAct.RIGHTS))

        await self._traced(line, job)

    # --- folders

    async def folders(self, box_id: int) -> list[Folder]:
        """All folders of a box."""
        return list(
            await self._remembered.read(("tree", box_id), lambda db: folders.list_folders(db, box_id))
        )

    # --- messages

    async def status(self, folder_id: int, viewer: Viewer) -> FolderStatus:
        """The counters of one folder."""
        return await self._engine.read(lambda db: reading.status(db, folder_id, viewer))

    async def snapshot(self, folder_id: int, viewer: Viewer) -> Snapshot:
        """What SELECT needs."""
        return await self._engine.read(lambda db: opening.snapshot(db, folder_id, viewer))

    async def changes(self, folder_id: int, viewer: Viewer, since: int) -> Changes:
        """All that happened after a mod-sequence."""
        return await self._engine.read(lambda db: reading.changes(db, folder_id, viewer, since))

    async def rows(
        self, folder_id: int, viewer: Viewer, uids: Sequence[int], want: frozenset[Want]
    ) -> list[MessageRow]:
        """Rows of the UIDs that still exist."""
        return await self._engine.read(lambda db: reading.rows(db, folder_id, viewer, uids, want))

    async def read_text(self, body_id: int, offset: int, size: int) -> bytes:
        """Octets of the part after the header."""
        segments = self._engine.segments
        return await self._engine.read(lambda db: bodies.read_text(db, segments, body_id, offset, size))

    async def read_texts(self, body_ids: Sequence[int], limit: int) -> dict[int, bytes]:
        """Whole texts of bodies up to a size."""
        segments = self._engine.segments
        return await self._engine.read(lambda db: bodies.read_texts(db, segments, body_ids, limit))

    async def keep_previews(self, previews: Mapping[int, str]) -> None:
        """Write down the first words of bodies."""
        await self._engine.write(lambda w: bodies.keep_previews(w, previews))

    async def store_flags(
        self,
        folder_id: int,
        viewer: Viewer,
        uids: Sequence[int],
        change: FlagChange,
        flags: frozenset[str],
        unchanged_since: int | None = None,
    ) -> Stored:
        """STORE."""
        return await self._engine.write(
            lambda w: marking.store_flags(
                w, folder_id, viewer, uids, change, flags, unchanged_since, time.time()
            )
        )

    async def expunge(self, folder_id: int, viewer: Viewer, uids: Iterable[int] | None) -> list[int]:
        """Remove messages marked deleted."""
        wanted = None if uids is None else list(uids)
        return await self._engine.write(lambda w: acting.expunge(w, folder_id, viewer, wanted, time.time()))

    async def copy(self, folder_id: int, viewer: Viewer, uids: Sequence[int], target_id: int) -> Copied:
        """COPY."""
        return await self._engine.write(
            lambda w: acting.copy(w, folder_id, viewer, uids, target_id, time.time())
        )

    async def move(self, folder_id: int, viewer: Viewer, uids: Sequence[int], target_id: int) -> Copied:
        """MOVE."""
        return await self._engine.write(
            lambda w: acting.move(w, folder_id, viewer, uids, target_id, time.time())
        )

    async def append(self, folder_id: int, viewer: Viewer, messages: Sequence[NewAppend]) -> list[int]:
        """APPEND."""
        new = list(messages)
        return await self._engine.write(lambda w: deliveries.append(w, folder_id, viewer, new, time.time()))
