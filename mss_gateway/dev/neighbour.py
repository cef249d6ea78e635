"""The independent operator of the trust space, built on aiosmtpd and smtplib: none of our protocol code is in it.

`python -m mss_gateway.dev.neighbour FOLDER` serves until SIGTERM. What it does with a message hangs on the local part
of the recipient, or on the word in FOLDER/behaviour while there is one:

    refuse  550 at RCPT            later  451 the first time, then taken     full  452 with a status of class 5
    slow    a late 250             drop   the connection ends after the data, without an answer
    answer  writes back            mdn    sends the receipt asked for        ko    reports an integration error

All it takes is kept in FOLDER/mail as NNN.eml with an NNN.json that tells envelope, peer and TLS.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import signal
import smtplib
import ssl
import sys
import time
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from email.utils import parseaddr
from functools import partial
from pathlib import Path
from typing import Any

import dns.resolver
from aiosmtpd.smtp import SMTP, Envelope, Session

from . import neighbour_letters
from .neighbour_identity import Identity

MAIL, BEHAVIOUR = "mail", "behaviour"
SLOW = 3.0  # seconds before the answer of `slow`
NULL = ("", "<>")  # how aiosmtpd spells the null sender
TRIES, PAUSE = 20, 0.5  # of its own deliveries, seconds between them


class Reception:
    """The hooks of aiosmtpd: takes mail, or misbehaves as the recipient's name says."""

    def __init__(self, identity: Identity, folder: Path) -> None:
        self._identity = identity
        self._folder = folder
        self._deferred: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        (folder / MAIL).mkdir(parents=True, exist_ok=True)
        self._count = len(list((folder / MAIL).glob("*.eml")))

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient of our domain, unless it is to be refused."""
        local, _, domain = address.rpartition("@")
        if domain.lower() != self._identity.domain:
            return "550 5.7.1 not our domain"
        behaviour = self._behaviour(local)
        if behaviour == "refuse":
            return "550 5.1.1 no such person here"
        if behaviour == "full":
            return "452 5.2.2 mailbox full"
        if behaviour == "later" and address not in self._deferred:
            self._deferred.add(address)
            return "451 4.7.1 come back later"
        self._deferred.discard(address)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep the message, then do what the first recipient's name says."""
        behaviour = self._behaviour(envelope.rcpt_tos[0].rpartition("@")[0])
        if behaviour == "drop":
            transport: Any = server.transport
            transport.abort()
            await asyncio.sleep(SLOW)  # the lost connection cancels this
        if behaviour == "slow":
            await asyncio.sleep(SLOW)
        data = envelope.original_content or b""
        self._keep(session, envelope, data)
        if behaviour in _REACTIONS:
            task = asyncio.create_task(
                self._react(behaviour, envelope.mail_from or "", envelope.rcpt_tos[0], data)
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return "250 2.0.0 taken"

    async def handle_exception(self, error: Exception) -> str:
        """A fault of its own is temporary; its text stays here."""
        logging.getLogger(__name__).error("fault: %s", type(error).__name__)
        return "451 4.3.0 trouble here"

    def _behaviour(self, local: str) -> str:
        try:
            return (self._folder / BEHAVIOUR).read_text(encoding="ascii").strip()
        except OSError:
            return re.split(r"[^a-z]", local.lower(), maxsplit=1)[0]

    def _keep(self, session: Session, envelope: Envelope, data: bytes) -> None:
        self._count += 1
        name = self._folder / MAIL / f"{self._count:04}"
        link: dict[str, Any] = session.ssl or {}
        shown = {
            "sender": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "peer": link["peercert"]["subject"][-1][0][1] if link.get("peercert") else "",
            "tls": (link.get("cipher") or ("", ""))[1],
        }
        name.with_suffix(".json").write_text(json.dumps(shown), encoding="utf-8")
        part = name.with_suffix(".part")
        part.write_bytes(data)
        part.rename(name.with_suffix(".eml"))

    async def _react(self, behaviour: str, sender: str, me: str, data: bytes) -> None:
        original = message_from_bytes(data, policy=policy.default)
        assert isinstance(original, EmailMessage)
        if sender in NULL or original.get("Auto-Submitted", "no") != "no":
            return  # nothing automatic is answered
        made = _REACTIONS[behaviour](original, me)
        if made is not None:
            null = (
                "Disposition" in str(made.get("Content-Type", "")) or made.get_content_subtype() == "report"
            )
            await asyncio.to_thread(self._send, "" if null else me, made)

    def _send(self, sender: str, message: Message) -> None:
        """Deliver to the MX of the recipient's domain, some times over when it is not taken."""
        recipient = parseaddr(str(message["To"]))[1]
        octets = re.sub(
            rb"\r?\n", b"\r\n", message.as_bytes(policy=policy.SMTP)
        )  # some parts keep their own ends
        for _ in range(TRIES):
            try:
                deliver(self._identity, sender, recipient, octets)
                return
            except smtplib.SMTPResponseException as refused:
                logging.getLogger(__name__).warning("not taken: %s", refused.smtp_code)
                if refused.smtp_code >= 500:
                    return
            except (OSError, smtplib.SMTPException, dns.exception.DNSException) as failed:
                logging.getLogger(__name__).warning("not delivered: %s", type(failed).__name__)
            time.sleep(PAUSE)


def _receipt(original: EmailMessage, me: str) -> Message | None:
    wanted = neighbour_letters.wants_receipt(original)
    return neighbour_letters.receipt(original, me) if wanted else None


_REACTIONS: dict[str, Callable[[EmailMessage, str], Message | None]] = {
    "answer": neighbour_letters.answer,
    "mdn": _receipt,
    "ko": neighbour_letters.integration_error,
}


def deliver(identity: Identity, sender: str, recipient: str, octets: bytes) -> None:
    """One attempt at the best MX; raises OSError, SMTPException or DNSException."""
    resolver = dns.resolver.Resolver(configure=False)
    host, _, port = identity.nameserver.rpartition(":")
    resolver.nameservers, resolver.port = [host], int(port)
    best = min(
        resolver.resolve(recipient.rpartition("@")[2], "MX"), key=lambda record: int(record.preference)
    )
    address = resolver.resolve(best.exchange, "A")[0].to_text()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(identity.ca)
    context.load_cert_chain(identity.cert, identity.key)
    with smtplib.SMTP(address, identity.port, f"mx.{identity.domain}", 20.0) as smtp:
        smtp.starttls(context=context)
        smtp.ehlo()
        code, text = smtp.mail(sender)
        if code != 250:
            raise smtplib.SMTPResponseException(code, text)
        code, text = smtp.rcpt(recipient)
        if code not in (250, 251):
            raise smtplib.SMTPResponseException(code, text)
        code, text = smtp.data(octets)
        if code != 250:
            raise smtplib.SMTPResponseException(code, text)


async def serve(folder: Path) -> None:
    """Listen until SIGTERM or SIGINT; mutual TLS for every message."""
    identity = Identity.read(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(identity.cert, identity.key)
    context.load_verify_locations(identity.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    loop = asyncio.get_running_loop()
    session = partial(
        SMTP,
        Reception(identity, folder),
        tls_context=context,
        require_starttls=True,
        hostname=f"mx.{identity.domain}",
        ident="hopital-voisin",
        loop=loop,
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(session, identity.host, identity.port)
    await stop.wait()
    server.close()


def main() -> None:
    """Serve from the folder given as argument."""
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    try:
        asyncio.run(serve(Path(sys.argv[1])))
    except OSError as error:
        sys.exit(f"the neighbour cannot listen: {error}")


if __name__ == "__main__":
    main()
