"""One IMAP connection: moves bytes between the socket and the core, and commands to their families."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mss_gateway.base.errors import ProtocolViolation
from mss_gateway.net.stream import DeadlinePassed, Draining, Stream, StreamClosed
from mss_gateway.observe.events import Event
from mss_gateway.ports.access import OverQuota
from mss_gateway.ports.mailboxes import NoSuchFolder
from mss_gateway.ports.store import DamagedBody, StoreError
from mss_gateway.protocol.imap import (
    NEED_DATA,
    AppendAbandoned,
    AppendChunk,
    AppendEnd,
    AppendMessage,
    AppendUrl,
    AuthResponse,
    Ending,
    IdleDone,
    ImapOptions,
    ImapServer,
    Request,
    State,
)
from mss_gateway.protocol.imap import commands as c
from mss_gateway.protocol.imap import commands_metadata as m
from mss_gateway.protocol.imap import commands_notify as n
from mss_gateway.protocol.imap import commands_rights as r
from mss_gateway.protocol.imap.commands_comparator import ChooseComparator
from mss_gateway.protocol.imap.commands_resync import Unauthenticate
from mss_gateway.protocol.imap.responses import greeting

from . import (
    accounts,
    acl,
    appending,
    comparing,
    contexts,
    copying,
    fetch,
    flags,
    idling,
    listing,
    mailboxes,
    metadata,
    multisearch,
    notify,
    quota,
    searching,
    selecting,
    sorting,
    threading,
)
from .rights import SESSION_ENDED, still_admitted
from .session import CommandFailed, Parts, Session

Family = Callable[[Session, Request], Awaitable[None]]
"""One command's handler: it answers `tagged`, or raises `CommandFailed`."""

FAMILIES: dict[type, Family] = {
    c.Capability: accounts.capability,
    c.Id: accounts.identification,
    c.Enable: accounts.enable,
    Unauthenticate: accounts.unauthenticate,
    c.Login: accounts.login,
    c.Authenticate: accounts.authenticate,
    c.Logout: accounts.logout,
    c.Noop: selecting.check,
    c.Check: selecting.check,
    c.Select: selecting.select,
    c.Close: selecting.close,
    c.Unselect: selecting.close,
    c.Expunge: selecting.expunge,
    c.Create: mailboxes.create,
    c.Delete: mailboxes.delete,
    c.Rename: mailboxes.rename,
    c.Subscribe: mailboxes.subscribe,
    c.Unsubscribe: mailboxes.subscribe,
    c.List: listing.list_,
    c.Lsub: listing.lsub,
    c.Namespace: mailboxes.namespace,
    c.Status: listing.status,
    c.Fetch: fetch.fetch,
    c.Store: flags.store,
    c.Search: comparing.by_comparator(searching.search),
    c.MultiSearch: comparing.by_comparator(multisearch.multisearch),
    c.CancelUpdate: contexts.cancel_update,
    c.Sort: comparing.by_comparator(sorting.sort),
    c.Thread: comparing.by_comparator(threading.thread),
    c.Copy: copying.copy,
    c.Move: copying.move,
    ChooseComparator: comparing.choose,
    n.Notify: notify.notify,
    m.GetMetadata: metadata.get_metadata,
    m.SetMetadata: metadata.set_metadata,
    r.GetAcl: acl.get_acl,
    r.SetAcl: acl.set_acl,
    r.DeleteAcl: acl.delete_acl,
    r.ListRights: acl.list_rights,
    r.MyRights: acl.my_rights,
    r.GetQuota: quota.get_quota,
    r.GetQuotaRoot: quota.get_quota_root,
}
"""Who answers which command; IDLE, APPEND and STARTTLS are part of the loop itself."""


ANSWERS = 64 * 1024  # octets of answers that are gathered before they are sent
EVENTS = 64  # commands of one connection between two turns of the loop


@dataclass(frozen=True, slots=True)
class ImapDoor:
    """Serves connections of one listener. `context` gives the TLS context in force at this moment."""

    parts: Parts
    context: Callable[[], ssl.SSLContext]

    async def serve(self, stream: Stream) -> None:
        """Hold one connection to its end; nothing escapes."""
        connection = Connection(self, stream)
        try:
            await connection.run()
        except (StreamClosed, DeadlinePassed):
            self.parts.log.debug(Event.IMAP_LOST, peer=stream.host)
        except ssl.SSLError as error:
            self.parts.login.handshake_failed(stream, error)
        except Exception as error:  # our own bug must end this connection, never the listeners' task group
            self.parts.log.fault(Event.IMAP_FAULT, error, peer=stream.host)
        finally:
            await connection.end()


class Connection:
    """The loop of one connection."""

    def __init__(self, door: ImapDoor, stream: Stream) -> None:
        options = door.parts.options
        self._door = door
        self._stream = stream
        self._core = ImapServer(
            ImapOptions(
                max_append=options.max_append,
                message_limit=options.message_limit,
                annotation_size=options.annotation_size,
            ),
            tls=options.implicit_tls,
        )
        self._session = Session(self._core, stream, door.parts)
        self._appending: appending.Appending | None = None
        self._idling = False
        self._events = 0  # since others had their turn

    async def run(self) -> None:
        """Speak until one side ends it."""
        if self._door.parts.options.implicit_tls:
            await self._handshake()
        self._core.send(greeting(self._core.capabilities(), f"{self._door.parts.options.hostname} ready"))
        while True:
            try:
                event = self._core.next_event()
            except ProtocolViolation as violation:
                self._door.parts.log.warning(
                    Event.IMAP_VIOLATION, peer=self._stream.host, reason=violation.reason
                )
                await self._session.flush()
                return
            if event is NEED_DATA:
                if self._core.state is State.LOGOUT or not await self._more():
                    await self._session.flush()
                    return
                continue
            await self._guarded(event)
            await self._take_turns()

    async def _take_turns(self) -> None:
        """Many commands in one packet: neither may their answers pile up, nor may other connections wait for all."""
        self._events += 1
        if self._core.queued >= ANSWERS:
            await self._session.flush()
        if self._events >= EVENTS:
            self._events = 0
            await asyncio.sleep(0)

    async def end(self) -> None:
        """Leave nothing behind."""
        self._session.tell_deeds()
        self._session.leave()
        self._session.listen(None)
        if self._appending is not None:
            await self._appending.discard()

    @property
    def _listening(self) -> bool:
        """Does the client hear of news between its commands (RFC 5465)? Never within one that has begun."""
        waits = self._session.notifier is not None and self._core.state is not State.LOGOUT
        return waits and self._appending is None and not self._core.buffered

    async def _more(self) -> bool:
        """Send what is queued and read; False at the end of the connection."""
        await self._session.flush()
        try:
            if self._idling or self._listening:
                await idling.wait(self._session, self._deadline(), idle=self._idling)
            if self._core.state is State.LOGOUT:
                return False
            data = await self._stream.read(self._deadline(), idle=self._appending is None)
        except DeadlinePassed:
            self._core.bye(SESSION_ENDED if self._session.ended else "too long without a word")
            return False
        except Draining:
            self._core.bye("the gateway is stopping, connect again in a moment")
            return False
        except StoreError as error:  # what there is to tell could not be read
            self._door.parts.log.fault(Event.STORE_FAULT, error, peer=self._stream.host)
            self._core.bye("not possible now, connect again later", b"UNAVAILABLE")
            return False
        if data:
            self._core.receive_data(data)
        return bool(data)

    def _deadline(self) -> float:
        deadlines = self._door.parts.options.deadlines
        principal = self._session.principal
        if principal is None:
            # In all, however the octets are spread: a slow peer must not hold a connection before its login.
            return max(0.0, self._session.started + deadlines.login - time.monotonic())
        if self._appending is not None or self._core.buffered:
            return deadlines.literal
        silence = deadlines.idle if self._idling else deadlines.command
        return min(silence, max(0.0, principal.until - time.time())) if principal.until else silence

    async def _guarded(self, event: object) -> None:
        """Run one event; a refusal becomes NO or BAD, our own fault a BYE that tells nothing."""
        try:
            await self._handle(event)
        except CommandFailed as failure:
            await self._fail(failure.ending, failure.text, failure.code)
        except OverQuota:
            await self._fail(Ending.NO, quota.NO_ROOM, quota.OVERQUOTA)
        except NoSuchFolder:
            await self._fail(Ending.NO, "the mailbox is gone", b"NONEXISTENT")
        except DamagedBody as damaged:
            self._door.parts.log.fault(
                Event.STORE_FAULT, damaged, peer=self._stream.host, body=damaged.body_id
            )
            await self._fail(Ending.NO, "a message is damaged in the store", b"SERVERBUG")
        except StoreError as error:
            self._door.parts.log.fault(Event.STORE_FAULT, error, peer=self._stream.host)
            await self._fail(Ending.NO, "not possible now, try again later", b"UNAVAILABLE")
        except (StreamClosed, DeadlinePassed, ssl.SSLError):
            raise
        except Exception as error:  # our own bug: the peer learns nothing of it
            self._door.parts.log.fault(Event.IMAP_FAULT, error, peer=self._stream.host)
            self._core.bye("something went wrong on our side")
            await self._session.flush()
            raise StreamClosed from error

    async def _fail(self, ending: Ending, text: str, code: bytes) -> None:
        """Answer the command in hand, wherever it is: messages that still come must never be read as commands."""
        if ending is Ending.NO:
            self._session.was_refused(code.partition(b" ")[0].decode("ascii", "replace").lower())
        if self._core.appending:
            self._core.refuse_literal(ending, text, code)
            if self._appending is not None:
                await self._appending.discard()
                self._appending = None
        else:
            self._core.tagged(ending, text, code=code)

    async def _handle(self, event: object) -> None:
        if not await still_admitted(self._session):
            return
        match event:
            case Request(_, command):
                started = time.perf_counter()
                await metadata.tell_changes(self._session)
                await self._command(event, command)
                self._door.parts.log.figures.imap_seconds.observe(time.perf_counter() - started)
            case AppendMessage() | AppendChunk() | AppendUrl():
                assert self._appending is not None
                await appending.take(self._session, self._appending, event)
            case AppendEnd():
                under_way, self._appending = self._appending, None
                assert under_way is not None
                await appending.end(self._session, under_way)
            case AppendAbandoned():
                if self._appending is not None:
                    await self._appending.discard()
                    self._appending = None
            case IdleDone():
                self._idling = False
                idling.done(self._session, event)
            case AuthResponse():
                await accounts.auth_response(self._session, event)

    async def _command(self, request: Request, command: c.Command) -> None:
        self._session.doing = type(command).__name__.upper()
        match command:
            case c.Idle():
                self._idling = True
            case c.Append() | c.Replace():
                self._appending = await appending.begin(self._session, request)
            case c.StartTls():
                self._core.tagged(Ending.OK, "begin TLS now")
                await self._session.flush()
                await self._handshake()
                self._core.tls_started()
            case c.Compress():
                self._core.tagged(Ending.OK, "DEFLATE active")
                await self._session.flush()
                self._stream.compress(self._core.take_rest())
            case _:
                await FAMILIES[type(command)](self._session, request)

    async def _handshake(self) -> None:
        options = self._door.parts.options
        await self._stream.start_tls(self._door.context(), options.deadlines.handshake)
        self._core.mechanisms = self._door.parts.login.offered(self._stream)
