"""A real message, sent to a mailbox of our own and read there again: as software does, over the sockets (OPS-2)."""

from __future__ import annotations

import asyncio
import secrets
import smtplib
import ssl
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from pathlib import Path

from .doctor import Check, Verdict
from .health_ports import OpenDoor

PATIENCE = 20.0
"""Seconds for one answer."""

NAME = "round trip"
_SETUP = (
    "mss-gateway bal add ADDRESS -t APP --structure … --responsible … --certificate FILE, with the file of"
    " tls.certificate, and gateway.probe = ADDRESS"
)


class Fault(Exception):
    """The trip ended early; the text says where and how."""


@dataclass(frozen=True, slots=True)
class Probe:
    """The APP mailbox of the trip, and the certificate (our own, with its key) that is registered for it (BAL-4)."""

    address: str
    certificate: Path
    key: Path


class RoundTripHealth:
    """Examines the whole line with one message. Without a mailbox for it, says how to set one up."""

    def __init__(self, probe: Probe | None, doors: Sequence[OpenDoor]) -> None:
        self._probe = probe
        self._doors = doors

    async def examine(self) -> Sequence[Check]:
        """Send, read, compare, delete."""
        if self._probe is None:
            evidence = "not made: no mailbox is kept for it (gateway.probe)"
            return [Check(NAME, Verdict.DOUBT, evidence, _SETUP)]
        sending, reading = self._door("smtp"), self._door("imap")
        if sending is None or reading is None:
            return [Check(NAME, Verdict.DOUBT, "not made: no door for mail clients is open", "see [listen]")]
        started = time.perf_counter()
        try:
            await asyncio.to_thread(travel, self._probe, sending, reading)
        except Fault as fault:
            return [Check(NAME, Verdict.BAD, str(fault), _SETUP)]
        took = (time.perf_counter() - started) * 1000
        evidence = f"sent by {sending.name}, read by {reading.name}, octet for octet, in {took:.0f} ms"
        return [Check(NAME, Verdict.GOOD, evidence)]

    def _door(self, speaks: str) -> OpenDoor | None:
        """A door of mail clients, TLS from the first octet when there is a choice."""
        found = [door for door in self._doors if door.speaks == speaks and door.name != "mta"]
        return max(found, key=lambda door: door.implicit_tls, default=None)


def travel(probe: Probe, sending: OpenDoor, reading: OpenDoor) -> None:
    """One message there and back; raises `Fault`. Blocking."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = (
        ssl.CERT_NONE
    )  # it is our own gateway on our own machine; certificates are examined apart
    context.load_cert_chain(probe.certificate, probe.key)
    message = letter(probe.address)
    _send(probe.address, message, sending, context)
    _read(probe.address, message, reading, context)


def letter(address: str) -> bytes:
    """A message that nobody mistakes for mail, and that is like no other."""
    made = EmailMessage(policy=SMTP)
    made["From"] = made["To"] = address
    made["Subject"] = "mss-gateway: round trip of the doctor"
    made["Date"] = formatdate()
    made["Message-ID"] = make_msgid(domain=address.partition("@")[2])
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(f"{secrets.token_hex(512)}\n")
    return made.as_bytes()


def _send(address: str, message: bytes, door: OpenDoor, context: ssl.SSLContext) -> None:
    try:
        client: smtplib.SMTP
        if door.implicit_tls:
            client = smtplib.SMTP_SSL(door.reached_at, door.port, timeout=PATIENCE, context=context)
        else:
            client = smtplib.SMTP(door.reached_at, door.port, timeout=PATIENCE)
        with client:
            if not door.implicit_tls:
                client.starttls(context=context)
            client.ehlo("doctor.invalid")
            # Our certificate may serve other mailboxes too: which one is said.
            code, said = client.docmd("AUTH", f"EXTERNAL {b64encode(address.encode()).decode()}")
            if code != 235:
                raise Fault(f"{door.name} refuses the login of {address}: {code} {_text(said)}")
            client.sendmail(address, [address], message)
    except smtplib.SMTPRecipientsRefused as refused:
        code, said = next(iter(refused.recipients.values()))
        raise Fault(f"{door.name} refuses the message: {code} {_text(said)}") from None
    except smtplib.SMTPResponseException as refused:
        raise Fault(
            f"{door.name} refuses the message: {refused.smtp_code} {_text(refused.smtp_error)}"
        ) from None
    except (OSError, smtplib.SMTPException) as error:
        raise Fault(f"{door.name}: {type(error).__name__}") from None


def _read(address: str, message: bytes, door: OpenDoor, context: ssl.SSLContext) -> None:
    from imapclient import IMAPClient
    from imapclient.exceptions import IMAPClientError

    identifier = message.partition(b"Message-ID: ")[2].partition(b"\r\n")[0].decode()
    try:
        with IMAPClient(
            door.reached_at, door.port, ssl=door.implicit_tls, ssl_context=context, timeout=PATIENCE
        ) as client:
            if not door.implicit_tls:
                client.starttls(context)
            client.sasl_login("EXTERNAL", lambda _: address.encode())
            client.select_folder("INBOX")
            found = client.search(["HEADER", "Message-ID", identifier])
            if not found:
                raise Fault(f"{door.name}: the message was accepted and is not in the mailbox")
            octets = client.fetch(found, ["BODY.PEEK[]"])[found[-1]][b"BODY[]"]
            client.delete_messages(found)
            client.uid_expunge(found)
            if not octets.endswith(message):
                raise Fault(f"{door.name}: the message came back with other octets than were sent")
    except (OSError, IMAPClientError) as error:
        raise Fault(f"{door.name}: {type(error).__name__}") from None


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said
