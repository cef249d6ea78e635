"""One letter over one open connection: envelope, content, and what became of each recipient (QUE-1, RTE-7)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from mss_gateway.base.errors import InvalidValue, ProtocolViolation
from mss_gateway.mail.envelope import Recipient
from mss_gateway.net.stream import DeadlinePassed, StreamClosed
from mss_gateway.ports.relay import Fate, Letter, Outcome
from mss_gateway.protocol.smtp import (
    NEED_DATA,
    ClientEvent,
    ContentRefused,
    ContentWanted,
    Fit,
    MessageAnswered,
    NothingAccepted,
    PeerCloses,
    RecipientAnswered,
    Reply,
    SenderAnswered,
    Signal,
    Unfit,
    Wish,
    fit,
)

from .connection import Connection
from .content import Content
from .flights import AT_ONCE, may_go_whole
from .options import RelayDeadlines
from .problems import RelayProblem, distrusted, refused, said


class Interrupted(RelayProblem):
    """The session ended before the peer can have taken the message: to try elsewhere is safe."""


class Transaction:
    """Carries a letter to some of its recipients. Afterwards the connection is idle, or must be cut."""

    def __init__(
        self,
        connection: Connection,
        recipients: Sequence[Recipient],
        deadlines: RelayDeadlines,
        clock: asyncio.Timeout,
    ) -> None:
        self._connection = connection
        self._recipients = recipients
        self._deadlines = deadlines
        self._clock = clock
        self._host = connection.host.name
        self._outcomes: list[Outcome | None] = [None] * len(recipients)
        self._accepted: list[int] = []
        self._unanswered = 0
        self._ended = False

    async def run(
        self, letter: Letter, content: Content, *, use_chunking: bool, whole: bool = False
    ) -> tuple[Outcome, ...]:
        """One outcome for each recipient, in their order; raises `Interrupted`, and `LetterIncomplete`.

        With `whole` the letter may go in one flight, where `may_go_whole` says so as well.
        """
        wish = Wish(
            letter.sender,
            tuple(self._recipients),
            content.size,
            letter.ret,
            letter.envid,
            content.eight_bit,
            content.binary,
            content.utf8_header,
        )
        chosen = fit(wish, self._connection.capabilities, use_chunking=use_chunking)
        if isinstance(chosen, Unfit):
            self._fail(chosen, range(len(self._recipients)))
            return self._told()
        missing = set(range(len(self._recipients))).difference(chosen.places)
        self._fail(chosen.unfit, missing)
        self._connection.messages += 1
        self._unanswered = len(chosen.places)
        try:
            self._begin(chosen, content, whole=whole)
            await self._talk(chosen, content)
        except ProtocolViolation as violation:
            self._broken("peer-broke-protocol", violation.public, "4.5.0")
        except DeadlinePassed:
            self._broken("timeout", "no answer in time", "4.4.2")
        except StreamClosed:
            self._broken("lost", "the connection was lost", "4.4.2")
        except InvalidValue as error:
            self._fail(Unfit("5.6.0", error.public, "bare-line-end"), self._open())
        return self._told()

    def _begin(self, chosen: Fit, content: Content, *, whole: bool) -> None:
        """Say the envelope, and the content with it where it may be: only answers are certain from then on."""
        connection = self._connection
        connection.went_whole = False
        if not (whole and may_go_whole(connection, chosen, content)):
            connection.core.begin(chosen)
            return
        self._let_answer()
        connection.core.begin(chosen, content.first)
        self._ended = connection.went_whole = True

    def _open(self) -> list[int]:
        """Recipients of whom nothing is known yet."""
        return [place for place, outcome in enumerate(self._outcomes) if outcome is None]

    def _told(self) -> tuple[Outcome, ...]:
        told = tuple(outcome for outcome in self._outcomes if outcome is not None)
        assert len(told) == len(self._recipients)  # the core tells of every recipient before it is over
        return told

    async def _talk(self, chosen: Fit, content: Content) -> None:
        """Speak until the transaction is over."""
        core, deadlines = self._connection.core, self._deadlines
        while True:
            event = core.next_event()
            if event is NEED_DATA:
                event = await self._connection.event(deadlines.answer if self._ended else deadlines.command)
            if isinstance(event, RecipientAnswered):
                self._unanswered -= 1
                self._recipient(event, chosen.places[event.index])
            elif isinstance(event, SenderAnswered):
                self._sender(event.reply, chosen.places)
            elif isinstance(event, ContentWanted):
                self._message(await self._send(content))
                return
            elif isinstance(event, ContentRefused):
                self._refuse(event.reply, self._accepted)
                return
            elif isinstance(event, NothingAccepted):
                return
            else:
                self._message(event)
                return

    def _sender(self, reply: Reply, places: Iterable[int]) -> None:
        if reply.code >= 500 and (reply.enhanced or "").startswith("5.7."):
            for place in places:
                self._outcomes[place] = distrusted(reply, self._recipients[place], self._host)
        elif not reply.positive:
            self._refuse(reply, places)

    def _recipient(self, event: RecipientAnswered, place: int) -> None:
        if event.reply.positive:
            self._accepted.append(place)
        else:
            self._refuse(event.reply, (place,))

    async def _send(self, content: Content) -> ClientEvent | Signal:
        """Send the content; return the last word of the server, or the end of the stream.

        The server is listened to between the pieces, so that a refusal stops a long message, and once more before
        its end: what was said before that cannot be an answer to it. The last octet and the end of data are held
        back until all before them has left our buffers: up to then the server cannot have taken the message, and
        a lost connection leaves nothing uncertain (QUE-1). A short content goes with its end at once, in one TLS
        record, which the server can read as a whole only.
        """
        connection, core = self._connection, self._connection.core
        held = b""
        async for piece in content.pieces():
            if content.size <= AT_ONCE:
                held = piece
                continue
            core.send_content(held)
            core.send_content(piece[:-1])
            held = piece[-1:]
            await connection.flush(self._deadlines.content)
            await asyncio.sleep(0)  # the loop must have a turn to notice that the peer speaks, or has gone
            early = connection.overhear()
            if early is not NEED_DATA:
                return early
        if content.size > AT_ONCE:
            await connection.stream.emptied(self._deadlines.content)
        early = connection.overhear()
        if early is not NEED_DATA:
            return early
        self._let_answer()
        core.send_content(held)
        core.end_content()
        self._ended = True
        return await connection.event(self._deadlines.answer)

    def _let_answer(self) -> None:
        """The deadline of the letter must not cut the wait for the answer: what it leaves behind is uncertain."""
        when = self._clock.when()
        if self._clock.expired():
            raise DeadlinePassed
        least = asyncio.get_running_loop().time() + self._deadlines.answer + 1.0
        if when is not None and when < least:
            self._clock.reschedule(least)

    def _message(self, event: ClientEvent | Signal) -> None:
        """What the last word means for the recipients accepted so far."""
        if isinstance(event, MessageAnswered):
            if event.reply.positive:
                self._sent(event.reply)
            else:
                self._refuse(event.reply, self._accepted)
        elif isinstance(event, PeerCloses):
            # Of a flight, what comes behind the command that is answered so is not looked at.
            if not self._ended or self._unanswered:
                raise Interrupted("peer-temporary", said(event.reply), "4.4.2", host=self._host)
            self._refuse(event.reply, self._accepted)
        else:
            self._broken("lost", "the connection was lost", "4.4.2")

    def _broken(self, reason: str, text: str, status: str) -> None:
        """The session is beyond use: before the end of the content nothing has happened, after it nobody knows."""
        if not self._ended:
            raise Interrupted(reason, f"{self._host}: {text}", status, host=self._host)
        reason = "lost-after-data" if reason == "lost" else reason
        text = f"{self._host}: {text} after the end of the message"
        for place in self._open():
            self._set(place, Fate.UNCERTAIN, reason, text, status)

    def _sent(self, reply: Reply) -> None:
        text, status = said(reply), reply.enhanced or "2.0.0"
        self._connection.served()
        for place in self._accepted:
            self._set(place, Fate.SENT, "sent", text, status)

    def _set(self, place: int, fate: Fate, reason: str, text: str, status: str) -> None:
        dsn = fate is Fate.SENT and self._connection.capabilities.offers("DSN")
        one = self._recipients[place]
        self._outcomes[place] = Outcome(one, fate, reason, text, status, self._host, dsn)

    def _refuse(self, reply: Reply, places: Iterable[int]) -> None:
        """The first answer counts: after a refused MAIL every RCPT is refused as well, with less to say."""
        for place in places:
            if self._outcomes[place] is None:
                self._outcomes[place] = refused(reply, self._recipients[place], self._host)

    def _fail(self, unfit: Unfit, places: Iterable[int]) -> None:
        for place in places:
            self._set(place, Fate.FAILED, unfit.reason, unfit.public, unfit.status)
