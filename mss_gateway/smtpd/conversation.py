"""What each SMTP event means for the message under way; the core speaks, the line decides."""

from __future__ import annotations

import time

from mss_gateway.base.errors import Refuse
from mss_gateway.net.stream import Stream
from mss_gateway.pipeline.intake import Intake
from mss_gateway.pipeline.login import Login
from mss_gateway.pipeline.sasl import Challenge, Exchange
from mss_gateway.pipeline.spool import Spool
from mss_gateway.pipeline.transaction import PeerSession, Transaction
from mss_gateway.ports.identity import Principal
from mss_gateway.ports.refused import OF_TRUST
from mss_gateway.protocol.smtp import (
    Auth,
    AuthCancelled,
    AuthResponse,
    DataChunk,
    DataDropped,
    DataEnd,
    DataStart,
    Event,
    Hello,
    MailFrom,
    RcptTo,
    Refused,
    Reply,
    Reset,
    SmtpServer,
    StartTls,
)
from mss_gateway.rules.facts import Caller

from .options import Role, SmtpOptions

GUESSING = Reply(421, "4.7.0", "Too many failed logins; closing")
HARVESTING = Reply(421, "4.7.0", "Too many refused addresses; closing")
ENDED = Reply(421, "4.7.0", "Your access to a mailbox has changed; log in again")
EXPIRED = Reply(421, "4.7.0", "The session of this login has ended; log in again")
DISK = Reply(452, "4.3.1", "No room to keep the message now; try again later")


class Conversation:
    """One peer's dialogue: at most one transaction and one spool at a time."""

    def __init__(
        self, core: SmtpServer, stream: Stream, intake: Intake, login: Login, options: SmtpOptions
    ) -> None:
        self._core = core
        self._stream = stream
        self._intake = intake
        self._login = login
        self._options = options
        self._helo = ""
        self._extended = False
        self._caller: Caller | None = None
        self._principal: Principal | None = None
        self._generation = 0
        self._transaction: Transaction | None = None
        self._started = 0.0
        self._spool: Spool | None = None
        self._exchange: Exchange | None = None
        self._failed_logins = 0
        self._refusals = 0
        self._waiting_since = time.monotonic()

    @property
    def idle(self) -> bool:
        """True between transactions, when a stopping gateway may say goodbye."""
        return self._transaction is None

    def deadline(self) -> float:
        """Seconds that the peer may now take.

        A command must be whole `command` seconds after the last one, however its octets are spread; content must
        go on within `data` seconds, and what remains of the transaction's time bounds both.
        """
        deadlines = self._options.deadlines
        now = time.monotonic()
        left = deadlines.data if self._spool is not None else self._waiting_since + deadlines.command - now
        if self._transaction is not None:
            left = min(left, self._started + deadlines.transaction - now)
        return max(0.0, left)

    async def handle(self, event: Event) -> bool:
        """Act on one event and answer it; True asks the caller for the TLS handshake."""
        try:
            return await self._handle(event)
        finally:
            self._waiting_since = time.monotonic()

    async def _handle(self, event: Event) -> bool:
        match event:
            case DataChunk(data):
                await self._chunk(data)
            case MailFrom():
                await self._mail(event)
            case RcptTo(recipient):
                assert self._transaction is not None
                self._answer(await self._intake.recipient(self._transaction, recipient))
            case DataStart():
                self._spool = self._intake.new_spool()
                self._core.accept()
            case DataEnd():
                await self._end()
            case DataDropped(_, reason):
                self._intake.note_refusal(self._transaction, self._stream.host, reason)
                await self.abandon()
            case Reset():
                await self.abandon()
            case _:
                return await self._session(event)
        return False

    async def _session(self, event: Event) -> bool:
        """Events outside of a transaction."""
        match event:
            case Hello(name, extended):
                await self.abandon()
                self._helo, self._extended = name, extended
                self._core.accept()
            case StartTls():
                self._core.accept()
                return True
            case Auth(mechanism, initial):
                await self._begin_login(mechanism, initial)
            case AuthResponse(data):
                await self._authenticate(data)
            case AuthCancelled():
                self._exchange = None
            case Refused(_, _, reason):
                self._intake.note_refusal(self._transaction, self._stream.host, reason)
        return False

    async def abandon(self) -> None:
        """Forget the transaction and its spool."""
        self._transaction = None
        if self._spool is not None:
            spool, self._spool = self._spool, None
            await spool.discard()

    def _answer(self, refuse: Refuse | None) -> None:
        if refuse is None:
            self._core.accept()
            return
        self._refusals += 1
        self._core.reply(Reply.of(refuse) if self._refusals <= self._options.refusals else HARVESTING)

    async def _begin_login(self, mechanism: str, initial: bytes | None) -> None:
        exchange = self._login.exchange(self._stream, mechanism)
        if isinstance(exchange, Refuse):
            self._refuse_login(exchange)
            return
        self._exchange = exchange
        if initial is None:
            self._core.challenge(exchange.opening)
        else:
            await self._authenticate(initial)

    async def _authenticate(self, data: bytes) -> None:
        assert self._exchange is not None
        generation = self._login.generation
        outcome = await self._exchange.step(data)
        if isinstance(outcome, Challenge):
            self._core.challenge(outcome.data)
            return
        self._exchange = None
        if isinstance(outcome, Refuse):
            self._refuse_login(outcome)
            return
        self._generation = generation
        self._principal = outcome
        self._caller = outcome.caller()
        self._core.accept()

    def _refuse_login(self, refuse: Refuse) -> None:
        self._intake.note_refusal(None, self._stream.host, refuse.reason)
        self._failed_logins += 1
        over = self._failed_logins >= self._options.auth_failures
        self._core.reply(GUESSING if over else Reply.of(refuse))

    async def _mail(self, event: MailFrom) -> None:
        caller: Caller | Refuse | None = self._caller
        if self._options.role is Role.MTA:
            caller = await self._login.operator(self._stream)
        if isinstance(caller, Refuse):
            self._intake.note_refusal(None, self._stream.host, caller.reason)
            self._answer(self._distrusted(caller, event))
            return
        if self._principal is not None and 0.0 < self._principal.until <= time.time():
            self._intake.note_refusal(None, self._stream.host, "login-expired")
            self._core.reply(EXPIRED)
            return
        if not await self._admitted():
            self._intake.note_refusal(None, self._stream.host, "login-ended")
            self._core.reply(ENDED)
            return
        assert caller is not None  # the core lets no MAIL through before AUTH in this role
        transaction, refuse = await self._intake.begin(caller, self._session_facts(event), event.envelope(()))
        if refuse is None:
            self._transaction = transaction
            self._started = time.monotonic()
        self._answer(None if refuse is None else self._distrusted(refuse, event))

    def _distrusted(self, refuse: Refuse, event: MailFrom | None = None) -> Refuse:
        """The same refusal; one for a reason of trust names its session (TRU-8)."""
        if self._options.role is not Role.MTA or refuse.reason not in OF_TRUST:
            return refuse
        domain = event.sender.domain if event is not None and event.sender is not None else ""
        return self._login.refused(self._stream, refuse, helo=self._helo, domain=domain)

    async def _admitted(self) -> bool:
        """Whether the one logged in may go on: a suspended or closed box, or a new password, ends it (BAL-5)."""
        generation = self._login.generation
        if self._principal is None:
            return True
        if not self._login.still_shown(self._stream, self._principal):
            return False
        if generation == self._generation:
            return True
        if not await self._login.still(self._principal):
            return False
        self._generation = generation
        return True

    def _session_facts(self, event: MailFrom) -> PeerSession:
        tls = self._stream.tls
        keyword = "ESMTP" if self._extended else "SMTP"
        if event.smtputf8:
            keyword = "UTF8SMTP"
        keyword += "S" if tls else ""
        keyword += "A" if self._caller is not None else ""
        return PeerSession(
            host=self._stream.host,
            helo=self._helo,
            protocol=keyword,
            tls_version=tls.version if tls else "",
            tls_cipher=tls.cipher if tls else "",
        )

    async def _chunk(self, data: bytes) -> None:
        if self._spool is None:
            return  # refused meanwhile; the core swallows the rest
        try:
            await self._spool.add(data)
        except OSError:
            spool, self._spool = self._spool, None
            await spool.discard()
            self._core.refuse_message(DISK, "spool-full")

    async def _end(self) -> None:
        spool, transaction = self._spool, self._transaction
        assert spool is not None
        assert transaction is not None
        if not await self._admitted():  # their right ended while the message came (BAL-5, BAL-6)
            self._intake.note_refusal(transaction, self._stream.host, "login-ended")
            await self.abandon()
            self._core.reply(ENDED)
            return
        # From here the line owns the spool: a session that is cut off must not pull it from under the commit.
        self._spool = None
        outcome = await self._intake.message(transaction, spool)
        self._transaction = None
        if isinstance(outcome, Refuse):
            self._core.reply(Reply.of(self._distrusted(outcome)))
        else:
            self._core.reply(Reply(250, "2.0.0", f"Stored as {outcome.id}"))
