"""What the straight line needs of the store: acceptance, channels, directory, outbox, trace."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from mss_gateway.rules.facts import BoxState, ChannelFacts, ChannelState, IdentityStatus

from .alerts import DueAlert, SettledAlert
from .imports import BoxImports
from .mailboxes import Mailboxes
from .outbox import Claimed, Interrupted, Lease, Share
from .people import Delegation, People
from .queue import Queue
from .quota import QuotaRows
from .records import (
    BoxChoices,
    BoxRow,
    Channel,
    Delivery,
    Identity,
    Membership,
    NewBox,
    Opened,
    Person,
    Placed,
    TraceLine,
)
from .tree import TreeListener


class StoreError(Exception):
    """The store could not do it; nothing was changed. The peer is told to try later."""


class StoreFull(StoreError):
    """No space left; nothing was changed, everything before is kept."""


class DamagedBody(StoreError):
    """The octets of one message cannot be opened: they are damaged, or were put in its place (OPS-5)."""

    def __init__(self, body_id: int) -> None:
        super().__init__(f"The message body {body_id} is damaged: `mss-gateway verify` tells more")
        self.body_id = body_id


class StaleReceipt(StoreError):
    """A receipt that a delivery answers was answered already, or was never opened (RCP-2)."""


class StaleLease(StoreError):
    """An outbox row that a delivery settles is no longer held under that lease (QUE-1)."""


class StaleChannel(StoreError):
    """A guarded channel moved between decision and commit: gather and decide again (CHN-9)."""


class AlreadyExists(StoreError):
    """A box, a login or a certificate of that name is already there."""


class Deliveries(Protocol):
    """Acceptance (RTE-4)."""

    async def accept(self, delivery: Delivery) -> tuple[Placed, ...]:
        """Commit a delivery durably, whole or not at all, and return where it was placed.

        Cancelling the caller does not cancel the commit. Raises `StaleChannel`, `StaleReceipt`, `StaleLease`,
        `StoreFull`, `StoreError`.
        """


class Channels(Protocol):
    """Channels between patients and BALs; keys are `Address.key` texts."""

    async def channel(self, patient: str, bal: str) -> ChannelFacts:
        """State and version; NEVER and 0 when there is none."""

    async def channels(
        self, patient: str | None = None, bal: str | None = None, limit: int = 1000
    ) -> list[Channel]:
        """Channels of a patient, of a BAL, of both, or all, latest change first."""

    async def silent_channels(self, bal: str, since: float, limit: int = 100) -> list[Channel]:
        """Open channels of a BAL without traffic since then (CHN-8), longest silent first."""

    async def set_channel(
        self, patient: str, bal: str, state: ChannelState, cause: str, trace: TraceLine
    ) -> Channel:
        """Set the state by hand (CHN-10), traced in the same transaction."""


class DirectoryRows(Protocol):
    """Boxes, persons, memberships and certificates; every write is traced in the same transaction."""

    async def box(self, key: str) -> BoxRow | None:
        """The box of an address key, closed ones included."""

    async def box_by_id(self, box_id: int) -> BoxRow | None:
        """The box of an id."""

    async def boxes(self, types: Sequence[str] | None = None, limit: int = 10_000) -> list[BoxRow]:
        """Boxes by address, of the given types when given."""

    async def add_box(self, box: NewBox, trace: TraceLine) -> BoxRow:
        """Provision a box with its folders; raise `AlreadyExists`."""

    async def set_box_state(self, box_id: int, state: BoxState, reason: str, trace: TraceLine) -> BoxRow:
        """Change the state with its reason (BAL-5)."""

    async def set_box_choices(self, box_id: int, choices: BoxChoices, trace: TraceLine) -> BoxRow:
        """Change what may be changed of a box."""

    async def purge_box(self, box_id: int, reason: str, trace: TraceLine) -> BoxRow:
        """Remove all mail, members and certificates of a box; its address stays taken (BAL-5)."""

    async def add_person(
        self, login: str, name: str, national_id: str, password_hash: str, trace: TraceLine
    ) -> Person:
        """Register somebody who logs in; raise `AlreadyExists`."""

    async def set_password(self, person_id: int, password_hash: str, trace: TraceLine) -> None:
        """Replace the record of a password (`ports.identity.Hasher`), its SCRAM keys with it."""

    async def login_keys(self, person_id: int) -> str:
        """The sealed SCRAM keys of a person, empty when there are none (ACC-2)."""

    async def put_login_keys(self, person_id: int, password_hash: str, keys: str) -> None:
        """Keep the sealed SCRAM keys of a password, unless it has been replaced meanwhile."""

    async def person(self, login: str) -> Person | None:
        """The person of a login, compared case-insensitively."""

    async def add_member(self, box_id: int, person_id: int, role: str, trace: TraceLine) -> None:
        """Tie a person to a box, or change the role."""

    async def remove_member(self, box_id: int, person_id: int, trace: TraceLine) -> None:
        """Untie a person from a box."""

    async def memberships(
        self, *, person_id: int | None = None, box_id: int | None = None
    ) -> list[Membership]:
        """Ties of a person or of a box."""

    async def persons(self, ids: Sequence[int]) -> list[Person]:
        """Persons of these ids."""

    async def persons_by_national_id(self, national_id: str) -> list[Person]:
        """Persons of `8`+RPPS or `0`+ADELI, by id; usually one, disabled ones included; none for an empty id."""

    async def delegations(
        self, *, person_id: int | None = None, box_id: int | None = None
    ) -> list[Delegation]:
        """Delegations of a person or of a box, those that have ended too (BAL-6)."""

    async def add_certificate(self, box_id: int, dn_key: str, dn: str, trace: TraceLine) -> None:
        """Register a client certificate's whole DN for an APP box (BAL-4)."""

    async def boxes_of_certificate(self, dn_key: str) -> list[BoxRow]:
        """The boxes that a certificate with this DN key may use."""


class Identities(Protocol):
    """The registry of patient identities, by INS: 15 characters in upper case (INS-5)."""

    async def identity(self, ins: str) -> Identity | None:
        """What the registry knows of an INS."""

    async def put_identities(self, rows: Sequence[Identity], trace: TraceLine) -> int:
        """Write all rows in one commit, traced, new or over what was known; return how many changed anything.

        A row that says what is known already, whatever its source, is left untouched. `updated_at` is the trace line's
        time.
        """

    async def identities(self, limit: int = 1000, status: IdentityStatus | None = None) -> list[Identity]:
        """Identities by INS, of one status when given."""

    async def count_identities(self) -> dict[IdentityStatus, int]:
        """How many identities there are of each status; a status without any is left out."""


class Receipts(Protocol):
    """Read receipts between opening and MDN (RCP-2)."""

    async def opened(self, limit: int = 100) -> list[Opened]:
        """Receipts whose message was opened and whose MDN is not written yet, oldest first."""


class Outbox(Protocol):
    """Messages to other operators (QUE-1): leased, carried, settled by the delivery that holds what follows."""

    async def claim(self, lease: Lease, share: Share) -> list[Claimed]:
        """Lease durably what is due at `lease.now`, the domain that waits longest first; empty when nothing is."""

    async def extend(self, lease: str, ids: Sequence[int], until: float) -> bool:
        """Hold leased rows until another moment; False when one of them is no longer held under the lease."""

    async def void_leases(self, now: float, node: str = "") -> list[Interrupted]:
        """End every lease of a node, due at `now` and uncertain, and tell of whom; only while that node is not up."""

    async def next_due(self, busy: Collection[str] = ()) -> float | None:
        """When the next row is due or its lease runs out, leaving out busy domains; None when there is none."""


class Alerts(Protocol):
    """Patients to be told outside that something has arrived, one row for each box (PAT-3).

    A commit whose parts name boxes in `alerts` makes their rows due at once. Only one process claims, so that there
    are no leases: what was claimed and not settled is due again after a crash.
    """

    async def due_alerts(self, now: float, limit: int = 100) -> list[DueAlert]:
        """Boxes whose patient is to be told by now, the longest due first."""

    async def settle_alerts(self, settled: Sequence[SettledAlert], trace: Sequence[TraceLine] = ()) -> None:
        """Write what became of claimed alerts, with their trace lines in the same commit."""

    async def next_alert(self) -> float | None:
        """When the next alert is due, epoch seconds; None when nobody is to be told."""


class Trace(Protocol):
    """The timeline (AUD-2)."""

    async def write_trace(self, lines: Sequence[TraceLine]) -> None:
        """Append lines durably: refusals and logins that come with no delivery."""

    async def trace(
        self,
        message_id: str | None = None,
        limit: int = 1000,
        *,
        transaction: str | None = None,
        box_id: int | None = None,
    ) -> list[TraceLine]:
        """Lines of one Message-ID (with its transactions'), of one transaction, or the latest; oldest first.

        A Message-ID comes as its header has it, brackets included; an INS in it may be whole or masked. `box_id`
        takes the latest lines of one box, whatever they are about.
        """


FolderListener = Callable[[int, int], None]
"""Called in the event loop after a commit with (folder id, highest mod-sequence)."""

BoxListener = Callable[[], None]
"""Called in the event loop after a commit that changed the directory."""


OpenedListener = Callable[[], None]
"""Called in the event loop after a commit in which a message with a receipt due was opened."""

OutboxListener = Callable[[], None]
"""Called in the event loop after a commit that queued something for another operator."""

AlertListener = Callable[[], None]
"""Called in the event loop after a commit after which a patient is to be told outside (PAT-3)."""


class Store(
    Deliveries,
    Channels,
    DirectoryRows,
    Identities,
    Receipts,
    Outbox,
    Queue,
    Alerts,
    Trace,
    People,
    BoxImports,
    QuotaRows,
    Mailboxes,
    Protocol,
):
    """One database with all its roles."""

    def on_folder_change(self, listener: FolderListener) -> None:
        """Hear of every folder that a commit changed."""

    def on_tree_change(self, listener: TreeListener) -> None:
        """Hear of every act on folders, subscriptions and rights, after its commit."""

    def on_directory_change(self, listener: BoxListener) -> None:
        """Hear of every commit that changed boxes, persons or members."""

    def on_opened(self, listener: OpenedListener) -> None:
        """Hear of every commit after which a receipt is due to be written."""

    def on_outbox(self, listener: OutboxListener) -> None:
        """Hear of every commit that queued something for another operator (QUE-1)."""

    def on_alert(self, listener: AlertListener) -> None:
        """Hear of every commit after which a patient is to be told outside (PAT-3)."""

    async def open(self) -> None:
        """Open, migrate and recover; raise `StoreError` saying what to do."""

    async def close(self) -> None:
        """Finish what is under way and close."""
