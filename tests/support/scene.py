"""What two set-ups of the gateway are compared by: what they reply, and what each party then finds over IMAP."""

from __future__ import annotations

import re
import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Any

from mss_gateway.dev import wire
from mss_gateway.dev.handout import Account, Handout
from mss_gateway.dev.provision import NAMES, NATIONAL_ID, STRUCTURE
from mss_gateway.dev.wire import Found
from mss_gateway.ops.control import ask
from tests.support.journeys import ran

STORED = re.compile(r"(?<=Stored) as \w+")
wire.TIMEOUT = 60.0  # what a person waits for in the tour is too short for a machine that is busy with others


@dataclass(slots=True)
class Scene:
    """One set-up: a gateway with both roles, or a professional and a patient operator."""

    handout: Handout

    @property
    def doctor(self) -> Account:
        """The holder of the nominative mailbox."""
        return self.handout.account("PER")

    @property
    def patient(self) -> Account:
        """The patient who can log in."""
        return self.handout.account("PAT")

    def message(self, sender: str, recipient: str, subject: str = "Résultats", **fields: str) -> EmailMessage:
        """A message with its own Message-ID; `fields` are header fields with `_` for `-`."""
        message = EmailMessage()
        name = NAMES.get(next((one.type for one in self.handout.accounts if one.address == sender), ""), "")
        message["From"] = f"{name} <{sender}>" if name else sender
        message["To"], message["Subject"] = recipient, subject
        message["Date"] = formatdate()
        message["Message-ID"] = f"<{uuid.uuid4()}@{sender.rpartition('@')[2]}>"
        for name, value in fields.items():
            message[name.replace("_", "-")] = value
        message.set_content("Bonjour.\n")
        return message

    def to_patient(self, subject: str = "Résultats", **fields: str) -> EmailMessage:
        """A message of the doctor to the patient."""
        return self.message(self.doctor.address, self.patient.address, subject, **fields)

    def answer(self, to: EmailMessage, **fields: str) -> EmailMessage:
        """The patient's answer to a message, to Reply-To when there is one."""
        target, original = str(to["Reply-To"] or to["From"]), str(to["Message-ID"])
        fields = {"In_Reply_To": original, "References": original, **fields}
        return self.message(self.patient.address, target, f"Re: {to['Subject']}", **fields)

    def submits(self, account: Account, message: EmailMessage, **envelope: str) -> str:
        """The reply to a submission, without what differs each time."""
        return _reply(lambda: wire.submit(self.handout, account, message, **envelope))

    def submits_to(
        self,
        account: Account,
        octets: bytes,
        recipients: Mapping[str, str],
        mail: str = "",
    ) -> list[str]:
        """Replies to each RCPT and to the data; `recipients` and `mail` give the parameters of RFC 3461."""
        ports = self.handout.home(account).ports
        with wire.Session(self.handout, ports.submission, None) as session:
            session.answered(lambda: session.smtp.login(account.login, account.password))
            session.command("MAIL", f"FROM:<{account.address}> {mail}".rstrip())
            said = [
                _reply(partial(session.command, "RCPT", f"TO:<{address}> {wishes}".rstrip()))
                for address, wishes in recipients.items()
            ]
            code, text = session.smtp.data(octets)
            return [*said, " ".join(STORED.sub("", f"{code} {text.decode()}").split())]

    def software_submits(self, message: EmailMessage) -> str:
        """The same for the applicative mailbox, which proves itself by certificate."""
        return _reply(lambda: wire.submit_external(self.handout, self.handout.app, message))

    def arrived(self, account: Account, message: EmailMessage, *, opened: bool = False) -> Found:
        """The message once it is there; raises LookupError when it does not come."""
        return wire.awaited(self.handout, account, "Message-ID", str(message["Message-ID"]), opened=opened)

    def document(self, *options: str) -> bytes:
        """A message of the doctor to the patient with an IHE_XDM archive, as `document send` builds it."""
        folder = Path(self.handout.state)
        pdf, file = folder / "page.pdf", folder / f"{uuid.uuid4()}.eml"
        pdf.write_bytes(b"%PDF-1.4\n%%EOF\n")
        words = [sys.executable, "-m", "mss_gateway", "document", "send", str(pdf), "--output", str(file)]
        words += ["--from", self.doctor.address, "--to", self.patient.address, "--type", "11502-2"]
        words += ["--title", "Bilan", "--author-family", "EXEMPLE", "--author-given", "Médecin"]
        words += ["--author-id", NATIONAL_ID, "--structure", "Clinique Exemple", "--structure-id", STRUCTURE]
        words += ["--config", str(folder / "gateway.toml"), *options]
        status, said = ran(words)
        assert status == 0, said
        return file.read_bytes()

    def asked(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """What the professionals' gateway answers to an operation; raises `OperationRefused`."""
        return ask(Path(self.handout.state) / "control.sock", operation, {"actor": "test", **arguments})

    def sees(self, account: Account, message: EmailMessage) -> str:
        """Where the message is, what it is called, and its keywords."""
        return shown(self.arrived(account, message))

    def answered(
        self, account: Account, to: EmailMessage, fits: Callable[[Found], bool] = lambda _: True
    ) -> Found:
        """What has come in answer to a message."""
        return wire.awaited(self.handout, account, "In-Reply-To", str(to["Message-ID"]), fits, opened=False)

    def answers(self, account: Account, to: EmailMessage) -> list[Found]:
        """All that is there now in answer to a message."""
        return wire.looked_up(self.handout, account, "In-Reply-To", str(to["Message-ID"]))

    def copies(self, account: Account, message: EmailMessage) -> list[Found]:
        """All copies of the message that are there now."""
        return wire.looked_up(self.handout, account, "Message-ID", str(message["Message-ID"]))

    def until(self, account: Account, message: EmailMessage, fits: Callable[[Found], bool]) -> Found:
        """The message once it is as wanted, such as marked."""
        return wire.awaited(
            self.handout, account, "Message-ID", str(message["Message-ID"]), fits, opened=False
        )


def _reply(call: Callable[[], str]) -> str:
    try:
        said = call()
    except wire.Refused as refused:
        said = refused.text
    return " ".join(STORED.sub("", said).split())


def shown(found: Found) -> str:
    """One line for a stored message: folder, subject, keywords."""
    keywords = " ".join(sorted(flag for flag in found.flags if flag.startswith("$")))
    return f"{found.folder}: {found.message['Subject']} {keywords}".rstrip()
