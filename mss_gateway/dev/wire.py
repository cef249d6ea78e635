"""The clients of the tour: Python's own smtplib and imaplib, not our protocol code."""

from __future__ import annotations

import contextlib
import imaplib
import re
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import TypeVar

from .handout import Account, Credential, Handout

HOST = "127.0.0.1"
FOLDERS = ("INBOX", "Echanges patient")
"""Where mail arrives (IMP-2)."""

T = TypeVar("T")

TIMEOUT = 20.0  # seconds for any one answer


def tls(handout: Handout, credential: Credential | None = None) -> ssl.SSLContext:
    """A client context that trusts the sample CA and presents the credential, if any."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # operators are known by their DN, not by a host name (TRU-4)
    context.load_verify_locations(handout.ca)
    if credential is not None:
        context.load_cert_chain(credential.cert, credential.key)
    return context


class Refused(Exception):
    """The gateway said no: the reply code with its text, or the TLS error."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def deliver(handout: Handout, credential: Credential | None, message: EmailMessage, **envelope: str) -> str:
    """Deliver as another operator on the port 25 role; return the final reply or raise `Refused`."""
    with Session(handout, handout.ports.mta, credential, host=handout.mta_host) as session:
        return session.send(message, **envelope)


def submit(handout: Handout, account: Account, message: EmailMessage, **envelope: str) -> str:
    """Submit as a mail client does, on the 587 role of the account's gateway; return the reply or raise `Refused`."""
    with Session(handout, handout.home(account).ports.submission, None) as session:
        session.answered(lambda: session.smtp.login(account.login, account.password))
        return session.send(message, **envelope)


def submit_external(handout: Handout, credential: Credential, message: EmailMessage, **envelope: str) -> str:
    """Submit as software does, proving itself by its certificate (BAL-4)."""
    with Session(handout, handout.ports.submission, credential) as session:
        session.answered(lambda: session.smtp.auth("EXTERNAL", lambda _=None: credential.address))
        return session.send(message, **envelope)


class Session:
    """One SMTP session over STARTTLS that turns every kind of no into `Refused`."""

    def __init__(
        self,
        handout: Handout,
        port: int,
        credential: Credential | None,
        *,
        start_tls: bool = True,
        host: str = HOST,
    ) -> None:
        self._handout = handout
        self._credential = credential
        self._start_tls = start_tls
        self.smtp = smtplib.SMTP(host, port, timeout=TIMEOUT)

    def __enter__(self) -> Session:
        self.smtp.ehlo("tour.example")
        if self._start_tls:
            context = tls(self._handout, self._credential)
            self.answered(lambda: self.smtp.starttls(context=context))
            # TLS 1.3 tells a refused certificate only on the first read.
            self.answered(lambda: self.smtp.ehlo("tour.example"))
        return self

    def __exit__(self, *_: object) -> None:
        self.smtp.close()

    def answered(self, call: Callable[[], T]) -> T:
        """Run one exchange; raise `Refused` with what the gateway, or TLS, said."""
        try:
            return call()
        except smtplib.SMTPResponseException as refusal:
            text = refusal.smtp_error
            raise Refused(
                f"{refusal.smtp_code} {text.decode() if isinstance(text, bytes) else text}"
            ) from None
        except (smtplib.SMTPServerDisconnected, ConnectionError, ssl.SSLError) as broken:
            raise Refused(f"refused in the TLS handshake: {_alert(str(broken))}") from None

    def command(self, verb: str, argument: str) -> str:
        """One command; return the reply line or raise `Refused` when it is not 2xx or 3xx."""
        code, text = self.answered(lambda: self.smtp.docmd(verb, argument))
        reply = f"{code} {text.decode(errors='replace')}"
        if code >= 400:
            raise Refused(reply)
        return reply

    def send(self, message: EmailMessage, *, sender: str | None = None, recipient: str | None = None) -> str:
        """MAIL, RCPT, DATA; the envelope is that of the header unless told otherwise."""
        self.command("MAIL", f"FROM:<{sender if sender is not None else address_of(message, 'From')}>")
        self.command("RCPT", f"TO:<{recipient if recipient is not None else address_of(message, 'To')}>")
        code, text = self.answered(lambda: self.smtp.data(octets(message)))
        if code != 250:
            raise Refused(f"{code} {text.decode()}")
        return f"{code} {text.decode()}"


def _alert(error: str) -> str:
    """The alert inside of OpenSSL's words, which Python wraps in its own."""
    found = re.search(r"alert ([a-z ]+)", error)
    return found[1].strip() if found else error


def address_of(message: EmailMessage, field: str) -> str:
    """The bare address of a header field."""
    return str(message[field].addresses[0].addr_spec)


def octets(message: EmailMessage) -> bytes:
    """A message as it is sent, with CRLF."""
    return message.as_bytes(policy=message.policy.clone(linesep="\r\n"))


def parsed(data: bytes) -> EmailMessage:
    """A message as Python's own parser reads it."""
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


@dataclass(frozen=True, slots=True)
class Found:
    """One stored message: its folder, its octets, and its flags."""

    folder: str
    octets: bytes
    flags: frozenset[str]

    @property
    def message(self) -> EmailMessage:
        """As Python's own parser reads it."""
        return parsed(self.octets)


def read(handout: Handout, account: Account | Credential, message_id: str) -> EmailMessage:
    """Open the mailbox over IMAP and fetch the message of this id; raise LookupError after the timeout."""
    return parsed(read_octets(handout, account, message_id))


def read_octets(handout: Handout, account: Account | Credential, message_id: str) -> bytes:
    """The same message as it is stored, byte for byte."""
    return awaited(handout, account, "Message-ID", message_id).octets


def awaited(
    handout: Handout,
    account: Account | Credential,
    field: str,
    value: str,
    fits: Callable[[Found], bool] = lambda _: True,
    *,
    opened: bool = True,
) -> Found:
    """The newest message whose field holds the value and that fits, in any folder; `opened` leaves it `\\Seen`.

    Raises LookupError when none has come within the timeout.
    """
    item = "BODY[]" if opened else "BODY.PEEK[]"
    limit = time.monotonic() + TIMEOUT
    with mailbox(handout, account) as imap:
        while time.monotonic() < limit:
            for found in _matches(imap, field, value, item):
                if fits(found):
                    return found
            time.sleep(0.05)
    raise LookupError(f"no message with {field} {value} in {account.address}")


def looked_up(handout: Handout, account: Account | Credential, field: str, value: str) -> list[Found]:
    """Every message whose field holds the value, in any folder, as it is now and without opening it."""
    with mailbox(handout, account) as imap:
        return list(_matches(imap, field, value, "BODY.PEEK[]"))


@contextlib.contextmanager
def mailbox(handout: Handout, account: Account | Credential) -> Iterator[imaplib.IMAP4]:
    """A logged in IMAP session on the account's own gateway; software proves itself by its certificate (BAL-4)."""
    with imaplib.IMAP4(HOST, handout.home(account).ports.imap, TIMEOUT) as imap:
        if isinstance(account, Credential):
            name = account.address.encode()
            imap.starttls(tls(handout, account))
            imap.authenticate("EXTERNAL", lambda _: name)
        else:
            imap.starttls(tls(handout))
            imap.login(account.login, account.password)
        yield imap


def kept(folder: str | Path) -> list[Path]:
    """Messages that the neighbour or the smarthost has stored."""
    return sorted(Path(folder).glob("*.eml"))


def human_text(message: EmailMessage) -> str:
    """The first text part, on one line."""
    part = next(part for part in message.walk() if part.get_content_maintype() == "text")
    return " ".join(str(part.get_content()).split())


def report_fields(message: EmailMessage) -> dict[str, str]:
    """Fields of the machine part of a DSN or MDN, in lower case, values on one line; empty for other mail."""
    fields: dict[str, str] = {}
    for part in message.walk():
        if part.get_content_subtype() not in ("delivery-status", "disposition-notification"):
            continue
        payload = part.get_payload()
        for block in payload if isinstance(payload, list) else [payload]:
            text = block if isinstance(block, str) else block.as_string()
            for line in re.sub(r"\r?\n[ \t]+", " ", text).splitlines():
                name, colon, value = line.partition(":")
                if colon:
                    fields[name.strip().lower()] = value.strip()
    return fields


def _matches(imap: imaplib.IMAP4, field: str, value: str, item: str) -> Iterator[Found]:
    for folder in FOLDERS:
        if imap.select(f'"{folder}"')[0] != "OK":
            continue
        _, found = imap.uid("SEARCH", "HEADER", field, value)
        for uid in reversed((found[0] or b"").split()):
            _, data = imap.uid("FETCH", uid.decode(), f"({item})")
            if not data or not isinstance(data[0], tuple):
                continue
            # Opening a message changes its flags: they are asked for after it.
            _, flags = imap.uid("FETCH", uid.decode(), "(FLAGS)")
            words = re.search(
                rb"FLAGS \(([^)]*)\)", flags[0] if flags and isinstance(flags[0], bytes) else b""
            )
            spelled = frozenset(words[1].decode().split()) if words else frozenset()
            yield Found(folder, bytes(data[0][1]), spelled)
