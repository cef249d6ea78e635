"""A skin for the SMTP client core: plays it against a script of replies, or against our own server core."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mss_gateway.base.errors import ProtocolViolation
from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import Recipient
from mss_gateway.protocol.smtp import (
    CLOSED,
    NEED_DATA,
    Capabilities,
    ClientConfig,
    ClientEvent,
    ContentRefused,
    ContentWanted,
    DataChunk,
    DataEnd,
    DataStart,
    Fit,
    HandshakeDue,
    Hello,
    MailFrom,
    MessageAnswered,
    NothingAccepted,
    RcptTo,
    Ready,
    Reply,
    ServerConfig,
    Signal,
    SmtpClient,
    SmtpServer,
    StartTls,
    Wish,
    fit,
)

from .smtp_pump import Pump

A, B, C = (Recipient(parse_address(text)) for text in ("a@x.fr", "b@x.fr", "c@x.fr"))
SENDER = parse_address("moi@ici.fr")
PLAIN = ClientConfig("client.test", require_tls=False)
TRANSACTION_OVER = (MessageAnswered, ContentRefused, NothingAccepted)


def wish(content: bytes = b"x\r\n", *recipients: Recipient, **more: object) -> Wish:
    """A wish to send `content`, to A when nobody else is named."""
    return Wish(SENDER, recipients or (A,), len(content), **more)  # type: ignore[arg-type]


def fitted(given: Wish, capabilities: Capabilities, *, use_chunking: bool = True) -> Fit:
    """The transaction, when there must be one."""
    chosen = fit(given, capabilities, use_chunking=use_chunking)
    assert isinstance(chosen, Fit)
    return chosen


class Talk(Pump[SmtpClient]):
    """What one session with scripted replies gave: events, octets sent, the violation's reason."""

    def __init__(
        self,
        contents: Sequence[bytes] = (b"x\r\n",),
        recipients: tuple[Recipient, ...] = (A,),
        config: ClientConfig = PLAIN,
        *,
        use_chunking: bool = True,
    ) -> None:
        super().__init__(SmtpClient(config))
        self.events: list[ClientEvent] = []
        self._contents = list(contents)
        self._recipients = recipients
        self._use_chunking = use_chunking
        self._at = 0

    def _pump(self) -> None:
        while True:
            try:
                event = self.core.next_event()
            except ProtocolViolation as violation:
                self.violation = violation.reason
                self.closed = True
                return
            self.sent += self.core.data_to_send()
            if isinstance(event, Signal):
                self.closed = event is CLOSED
                self.largest_buffer = max(self.largest_buffer, self.core.buffered)
                return
            self.events.append(event)
            self._react(event)
            self.sent += self.core.data_to_send()

    def _react(self, event: ClientEvent) -> None:
        core = self.core
        if isinstance(event, Ready):
            if core.tls_active or not event.capabilities.offers("STARTTLS"):
                self._next()
            else:
                core.start_tls()
        elif isinstance(event, HandshakeDue):
            core.tls_started()
        elif isinstance(event, ContentWanted):
            content = self._contents[self._at]
            core.send_content(content[: len(content) // 2])
            core.send_content(content[len(content) // 2 :])
            core.end_content()
        elif isinstance(event, TRANSACTION_OVER):
            self._at += 1
            self._next()

    def _next(self) -> None:
        if not self.core.idle:
            return
        if self._at == len(self._contents):
            self.core.quit()
            return
        given = wish(self._contents[self._at], *self._recipients)
        chosen = fit(given, self.core.capabilities, use_chunking=self._use_chunking)
        if isinstance(chosen, Fit):
            self.core.begin(chosen)
        else:
            self.core.quit()

    def outcome(self) -> tuple[list[ClientEvent], bytes, str | None, bool]:
        """What must not depend on how the replies were cut."""
        return self.events, self.sent, self.violation, self.closed


def replies(*lines: str) -> bytes:
    """Reply lines with CRLF."""
    return "".join(f"{line}\r\n" for line in lines).encode()


def answered(*lines: str, contents: Sequence[bytes] = (b"x\r\n",), **more: object) -> Talk:
    """Play a script in which each reply comes as a piece of its own."""
    return Talk(contents, **more).feed(*(replies(line) for line in lines)).end()  # type: ignore[arg-type]


def wanting_content(*script: str, size: int = 3, use_chunking: bool = False) -> SmtpClient:
    """A core that has begun a transaction of `size` octets and been told to send them."""
    core = SmtpClient(PLAIN)
    for line in script:
        core.receive_data(replies(line))
        while not isinstance(event := core.next_event(), Signal):
            if isinstance(event, Ready):
                given = wish(b"x" * size)
                core.begin(fitted(given, event.capabilities, use_chunking=use_chunking))
            wanted = isinstance(event, ContentWanted)
    assert wanted
    core.data_to_send()
    return core


def listening(core: SmtpClient, *pieces: bytes) -> Talk:
    """Let a skin listen to what comes next on this core."""
    talk = Talk()
    talk.core = core
    return talk.feed(*pieces)


class BackToBack:
    """Our client against our own server, octets cut at the given sizes; keeps what the server received."""

    def __init__(self, server: ServerConfig, *, use_chunking: bool, refused: Iterable[str] = ()) -> None:
        self.server = SmtpServer(server)
        self.received: list[bytes] = []
        self.mails: list[MailFrom] = []
        self.recipients: list[Recipient] = []
        self.told: list[ClientEvent] = []
        self._refused = frozenset(refused)
        self._use_chunking = use_chunking
        self._content = b""

    def carry(self, wishes: Sequence[tuple[Wish, Sequence[bytes]]], size: int = 1 << 16) -> BackToBack:
        """Send each wish with its content, given in pieces, over one session under TLS; then QUIT."""
        client = SmtpClient(ClientConfig("client.test"))
        left = list(wishes)
        self.server.greet()
        while (event := client.next_event()) is not CLOSED:
            if event is NEED_DATA:
                self._exchange(client, size)
            elif isinstance(event, HandshakeDue):
                self.server.tls_started()
                client.tls_started()
            elif isinstance(event, ContentWanted):
                for piece in left[0][1]:
                    client.send_content(piece)
                client.end_content()
            elif isinstance(event, Ready) and not client.tls_active:
                client.start_tls()
            elif not isinstance(event, Signal):
                self.told.append(event)
                if isinstance(event, TRANSACTION_OVER):
                    left.pop(0)
                if isinstance(event, (*TRANSACTION_OVER, Ready)):
                    self._begin(client, left)
        return self

    def _begin(self, client: SmtpClient, left: list[tuple[Wish, Sequence[bytes]]]) -> None:
        if not left:
            client.quit()
            return
        client.begin(fitted(left[0][0], client.capabilities, use_chunking=self._use_chunking))

    def _exchange(self, client: SmtpClient, size: int) -> None:
        octets = client.data_to_send()
        for at in range(0, max(len(octets), 1), size):
            self.server.receive_data(octets[at : at + size])
            self._serve()
        answer = self.server.data_to_send()
        assert octets or answer, "both sides wait"
        for at in range(0, len(answer), size):
            client.receive_data(answer[at : at + size])

    def _serve(self) -> None:
        while not isinstance(event := self.server.next_event(), Signal):
            if isinstance(event, DataChunk):
                self._content += event.data
            elif isinstance(event, RcptTo) and str(event.recipient.address) in self._refused:
                self.server.reply(Reply(550, "5.1.1", "Unknown"))
            elif isinstance(event, Hello | StartTls | MailFrom | RcptTo | DataStart | DataEnd):
                if isinstance(event, MailFrom):
                    self.mails.append(event)
                elif isinstance(event, RcptTo):
                    self.recipients.append(event.recipient)
                elif isinstance(event, DataEnd):
                    self.received.append(self._content)
                    self._content = b""
                self.server.accept()
                if isinstance(event, StartTls):
                    return
