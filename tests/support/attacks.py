"""What the attacks on patients, channels and receipts are made of: odd messages, and what is then found on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from mss_gateway.dev.handout import Account
from tests.support.doors import Served
from tests.support.wires import Smtp, literal

OTHER = "154092A12345664"  # a second patient: well formed, nobody's
OTHER_PASSWORD = "autre-mot-de-passe"


def operate(served: Served, name: str, **arguments: Any) -> dict[str, Any]:
    """What an operator asks of the running gateway; raises `OperationRefused`."""
    result: dict[str, Any] = served.call(served.parts.operations[name](arguments))
    return result


def second_patient(served: Served) -> Account:
    """The account of the patient that `add_second_patient` made."""
    address = f"{OTHER}@{served.account('PAT').address.partition('@')[2]}"
    return Account(address, address, OTHER_PASSWORD, "PAT")


def note(sender: str, *fields: str, subject: str = "Bonjour", text: str = "Texte") -> bytes:
    """A short message; `fields` are whole lines after From, one of them may be the Subject."""
    lines = [
        f"From: {sender}",
        *fields,
        f"Subject: {subject}" if subject else "X-Note: sans objet",
        "",
        text,
        "",
    ]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def said(wire: Smtp, sender: str, recipients: str | Sequence[str], message: bytes, mail: str = "") -> str:
    """The first refusal of a transaction, or its last reply; `mail` holds parameters of MAIL."""
    wire.command("RSET")
    given = [recipients] if isinstance(recipients, str) else recipients
    rcpt = [f"RCPT TO:{one}" if one.startswith("<") else f"RCPT TO:<{one}>" for one in given]
    for command in (f"MAIL FROM:<{sender}> {mail}".rstrip(), *rcpt):
        reply = wire.command(command)
        if not reply.startswith("250"):
            return reply
    return wire.data(message)


def report_of(sender: str, text: str, *parts: bytes, kind: str = "disposition-notification") -> bytes:
    """A message in the shape of a report, with whatever parts behind its text."""
    fields = {
        "disposition-notification": b"Final-Recipient: rfc822; a@b.example\r\nDisposition: x/y; displayed\r\n",
        "delivery-status": b"Reporting-MTA: dns; a.example\r\n\r\nFinal-Recipient: rfc822; a@b.example\r\n"
        b"Action: failed\r\nStatus: 5.0.0\r\n",
    }[kind]
    machine = b"Content-Type: message/" + kind.encode() + b"\r\n\r\n" + fields
    head = (
        f"From: {sender}\r\nSubject: Lu\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type={kind}; boundary="=_r"\r\n\r\n'
    ).encode()
    plain = b"Content-Type: text/plain\r\n\r\n" + text.encode() + b"\r\n"
    body = b"".join(b"--=_r\r\n" + part + b"\r\n" for part in (plain, machine, *parts))
    return head + body + b"--=_r--\r\n"


def state_of(served: Served, patient: str, bal: str) -> str:
    """The state of a channel, `never` when there is none."""
    found = served.call(served.parts.store.channels(patient.lower(), bal.lower(), 1))
    return found[0].state.value if found else "never"


def mail_of(served: Served, account: Account, folder: str = "INBOX") -> list[tuple[bytes, bytes]]:
    """(FLAGS, octets) of every message of a folder, nothing opened."""
    wire = served.imap(account)
    selected, tagged = wire.run(f'SELECT "{folder}"')
    if not tagged.startswith(b"OK") or b"* 0 EXISTS" in selected:
        wire.close()
        return []
    found = [
        (line[line.find(b"FLAGS (") : line.find(b")", line.find(b"FLAGS ("))], literal(line))
        for line in wire.fetch("1:*", "(FLAGS BODY.PEEK[])")
    ]
    wire.close()
    return found


def holding(served: Served, account: Account, word: str, folder: str = "INBOX") -> list[tuple[bytes, bytes]]:
    """Those of a folder's messages that hold a word."""
    return [one for one in mail_of(served, account, folder) if word.encode() in one[1]]


def outgoing(served: Served) -> list[tuple[str, str, bytes]]:
    """(return path, recipient, header) of everything that waits for other operators."""
    (database,) = served.settings.store.path.glob("*.db")
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        rows = db.execute(
            "SELECT o.sender, o.recipient, b.header FROM outbox AS o JOIN body_bytes AS b ON b.id = o.body_id"
        ).fetchall()
    return [(str(sender), str(recipient), bytes(header)) for sender, recipient, header in rows]
