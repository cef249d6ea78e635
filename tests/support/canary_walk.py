"""A walk of canary words through a gateway for patients, and the commands that are typed on it."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path

from mss_gateway.dev.handout import Account, Handout
from tests.support import xdm
from tests.support.attacks import note
from tests.support.canary import LOWER, PASSWORD, UNKNOWN, Scene
from tests.support.commands import spoken

NAME = "Canarinom"
ALERT = "canari.personnel@courriel.example"


@dataclass
class Walk:
    """What has been walked: the scene, standard error apart from standard output, and the peers."""

    scene: Scene
    stderr: list[str] = field(default_factory=list)
    stdout: list[str] = field(default_factory=list)
    number: int = 0

    def cli(self, *words: str, stdin: str = "") -> int:
        """One command; what it prints is kept."""
        tail = (
            []
            if words[0] == "document" and words[1] in ("show", "types")
            else ["--config", str(self.scene.gateway.config)]
        )
        status, out, err = spoken(*words, *tail, stdin=stdin)
        self.stdout.append(out)
        self.stderr.append(err)
        return status

    def letter(self, sender: str, *fields: str, subject: str = f"canarisujet {UNKNOWN}") -> bytes:
        """A note full of canaries, with its own Message-ID."""
        self.number += 1
        more = (f"Message-ID: <canari.{UNKNOWN}.{self.number}@x.example>", "X-Note: canarientete")
        return note(
            f"{NAME} {UNKNOWN} <{sender}>", *more, *fields, subject=subject, text=f"canaricorps {UNKNOWN}"
        )

    def submit(self, account: Account, recipients: list[str], message: bytes, mail: str = "") -> str:
        """Over submission; every reply is kept by the scene."""
        wire = self.scene.smtp(self.scene.gateway.handout.ports.submission)
        wire.login(account.login, account.password)
        wire.command(f"MAIL FROM:<{account.address}> {mail}".rstrip())
        for recipient in recipients:
            wire.command(f"RCPT TO:{recipient}" if recipient.startswith("<") else f"RCPT TO:<{recipient}>")
        reply = wire.data(message)
        wire.close()
        return reply

    def operate(self, sender: str, recipient: str, message: bytes) -> str:
        """From the listed operator."""
        handout = self.scene.gateway.handout
        wire = self.scene.smtp(handout.ports.mta, handout.operator)
        wire.command(f"MAIL FROM:<{sender}>")
        wire.command(f"RCPT TO:<{recipient}>")
        reply = wire.data(message)
        wire.close()
        return reply


def _files(folder: Path, doctor: str, unknown: str) -> tuple[Path, Path, Path, Path]:
    """A registry and a list of patients with bad lines, a PDF, a message with a hostile archive."""
    table = folder / f"{UNKNOWN}.csv"
    table.write_text(
        "INS;OID;nom;prenoms;sexe;date de naissance;lieu de naissance;statut\r\n"
        f"{UNKNOWN};1.2.250.1.213.1.4.8;CANARINOM;{UNKNOWN};M;1954-09-01;2A004;QUAL\r\n"
        f"{UNKNOWN};{UNKNOWN};CANARINOM;X;{UNKNOWN};{UNKNOWN};{UNKNOWN};{UNKNOWN}\r\n"
        f"{UNKNOWN}9;1.2.250.1.213.1.4.8;CANARINOM;X;M;1954-09-01;2A004;QUAL\r\n"
        f'"{UNKNOWN}\r\nx{UNKNOWN}y;;;;;;;canarinom\r\n',
        encoding="utf-8",
    )
    patients = folder / f"patients-{LOWER}.csv"
    patients.write_text(
        f"INS;nom;etat;alerte\r\n{UNKNOWN};CANARINOM;{UNKNOWN};{ALERT}\r\n{UNKNOWN};CANARINOM;;{ALERT} {UNKNOWN}\r\n"
        f"{UNKNOWN};CANARINOM;closed;{ALERT}\r\n{UNKNOWN}x;;;\r\n",
        encoding="utf-8",
    )
    pdf, eml = folder / f"{UNKNOWN}.pdf", folder / "m.eml"
    pdf.write_bytes(xdm.PDF)
    zipped = xdm.raw_zip(xdm.Raw(f"../{UNKNOWN}".encode()))
    eml.write_bytes(
        f"From: {doctor}\r\nTo: {unknown}\r\nSubject: canarisujet {UNKNOWN}\r\nMIME-Version: 1.0\r\n"
        'Content-Type: application/zip; name="IHE_XDM.zip"\r\nContent-Transfer-Encoding: base64\r\n'
        f'Content-Disposition: attachment; filename="IHE_XDM.zip"\r\n\r\n{b64encode(zipped).decode()}\r\n'.encode()
    )
    return table, patients, pdf, eml


def typed(folder: Path, handout: Handout) -> list[tuple[str, ...]]:
    """Commands with an INS in every place where one can slip in; `folder` gets the files that they read."""
    doctor, patient = handout.account("PER").address, handout.patients.active
    unknown = f"{UNKNOWN}@{patient.partition('@')[2]}"
    table, patients, pdf, eml = _files(folder, doctor, unknown)
    return [
        *_imports(str(table), str(patients)),
        *_readings(patient, unknown),
        *_changes(doctor, patient, unknown),
        ("bal", "member", handout.account("ORG").address, f"{UNKNOWN}x", "--remove"),
        *_documents(folder, handout, str(pdf)),
        ("document", "show", str(eml)),
        ("document", "show", str(eml), "--json"),
        ("explain", str(eml), "--from", doctor, "--to", unknown),
        ("explain", str(eml), "--from", UNKNOWN, "--to", f"{LOWER}@@"),
        ("figures",),
    ]


def _imports(table: str, patients: str) -> list[tuple[str, ...]]:
    return [
        ("ins", "import", table),
        ("ins", "import", table, "--dry-run", "--json"),
        ("ins", "import", patients),
        ("patient", "import", patients),
        ("patient", "import", patients, "--json"),
    ]


def _readings(patient: str, unknown: str) -> list[tuple[str, ...]]:
    of = ("--sex", "M", "--born", "09/1954", "--department", "2A")
    return [
        ("ins", "check", UNKNOWN, "--sex", "F", "--born", "1985-03", "--department", "77"),
        ("ins", "check", UNKNOWN, "--sex", UNKNOWN, "--born", UNKNOWN, "--department", UNKNOWN),
        ("ins", "check", LOWER[:14] + "0", *of, "--json"),
        ("ins", "check", UNKNOWN[:13], *of),
        ("ins", "list", "--status", UNKNOWN),
        ("ins", "list", "--status", "QUAL", "--json"),
        ("trace", f"<canari.{UNKNOWN}.1@x.example>"),
        ("trace", f"<canari.{UNKNOWN}.1@x.example>", "--json"),
        ("trace", f"<absent.{LOWER}@x.example>"),
        ("trace", "--transaction", UNKNOWN),
        ("trace", "--box", unknown),
        ("trace", "--box", patient, "--rules"),
        ("trace", "--box", f"{UNKNOWN} @"),
        ("channel", "list", "--bal", unknown),
        ("channel", "list", "--patient", f"{UNKNOWN}@@"),
        ("channel", "list", "--json"),
        ("patient", "list", "--json"),
    ]


def _changes(doctor: str, patient: str, unknown: str) -> list[tuple[str, ...]]:
    printed = f"1 54 09 2A 123 456 64 {UNKNOWN[:13]}"
    password = ("--password", f"{PASSWORD}-9")
    return [
        ("channel", "show", doctor, unknown),
        ("channel", "open", doctor, unknown, "--reason", f"demande de {UNKNOWN}"),
        ("channel", "close", doctor, unknown, "--reason", LOWER),
        ("channel", "open", patient, doctor, "--reason", printed),
        ("channel", "close", patient, doctor, "--reason", UNKNOWN),
        ("patient", "set", UNKNOWN, "--alert", f"{ALERT}@x"),
        ("patient", "set", UNKNOWN, "--alert", unknown),
        ("patient", "carer", UNKNOWN, UNKNOWN, *password, "--name", f"{NAME} {UNKNOWN}"),
        ("patient", "carer", UNKNOWN, f"{LOWER}x", "--remove"),
        ("patient", "close", UNKNOWN, "--reason", f"x {LOWER} {UNKNOWN[:13]}"),
        ("patient", "activate", UNKNOWN, "--reason", UNKNOWN),
        ("bal", "set", doctor, "--fin", f"reply-to={unknown}"),
        ("bal", "member", doctor, UNKNOWN),
    ]


def _documents(folder: Path, handout: Handout, pdf: str) -> list[tuple[str, ...]]:
    """A wrong password, a patient who is somebody else, a number whose key is wrong."""
    account = handout.account("PER")
    wrong, own = folder / "wrong", folder / "own"
    wrong.write_text(f"{PASSWORD}\n", encoding="utf-8")
    own.write_text(f"{account.password}\n", encoding="utf-8")
    options = {
        "from": account.address,
        "type": "11502-2",
        "title": f"canarisujet {UNKNOWN}",
        "family": "CANARINOM",
        "given": "X",
        "sex": "M",
        "born": "1954-09-01",
        "place": "2A004",
        "author-family": "Exemple",
        "author-id": "899700366240",
        "structure": "Exemple",
        "structure-id": "1690000019",
    }
    given = [word for name, value in options.items() for word in (f"--{name}", value)]
    targets = ((UNKNOWN, wrong), (handout.patients.active, own), (f"{UNKNOWN[:14]}0", own), (UNKNOWN, own))
    return [
        ("document", "send", pdf, "--to", to, *given, "--password-file", str(secret))
        for to, secret in targets
    ]
