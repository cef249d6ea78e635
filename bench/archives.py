"""CPU of the gate on a 2 MB IHE_XDM archive (INS-6): the reading alone, and within the acceptance of a message."""

from __future__ import annotations

import base64
import random
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from mss_gateway.dev.sample import PATIENT_ACTIVE
from mss_gateway.documents.archive import read_facts
from mss_gateway.documents.request import Subject
from tests.support.xdm import built

from .clinic import Clinic, running
from .imap import Mailbox
from .load import Load, Plan
from .measure import LOOK_SECONDS, Case, await_seen, summarise
from .messages import Message, Target
from .processes import cpu_seconds

AIM_MS = 20.0
"""CPU milliseconds of the gate, at most."""
READINGS = 40
TURNS = 3
GATES = {"enforce": "gate on", "off": "gate off"}


@dataclass(slots=True)
class ArchiveFigures:
    """CPU milliseconds: of each reading, and of each message by setting of the gate, turn by turn."""

    archive_octets: int = 0
    message_octets: int = 0
    reading_ms: list[float] = field(default_factory=list)
    message_ms: dict[str, list[float]] = field(default_factory=dict)

    def added(self, choose: Callable[[list[float]], float]) -> float:
        """What the gate adds to a message, by the best or the middle turns."""
        return choose(self.message_ms["enforce"]) - choose(self.message_ms["off"])


def archive_of(octets: int) -> bytes:
    """A conformant archive around a PDF that does not compress, about that large."""
    pdf = b"%PDF-1.4\n" + random.Random("pdf").randbytes(octets - octets // 100) + b"\n%%EOF\n"
    patient = Subject(PATIENT_ACTIVE, "EXEMPLE", ("PATIENTE",), "F", date(1985, 3, 14), "77284")
    return built(pdf=pdf, subject=patient, recipient=f"{PATIENT_ACTIVE}@patient.mssante.fr").archive


def _messages(target: Target, archive: bytes, count: int, tag: str) -> list[Message]:
    body = base64.encodebytes(archive).replace(b"\n", b"\r\n") + b"--limite--\r\n.\r\n"
    found = []
    for number in range(count):
        ident = f"bench-{tag}-{number}@{target.sender.rpartition('@')[2]}"
        head = (
            f"Date: Mon, 05 Jan 2026 10:00:00 +0100\r\nFrom: <{target.sender}>\r\nTo: <{target.recipient}>\r\n"
            f"Subject: Compte rendu {number}\r\nMessage-ID: <{ident}>\r\nMIME-Version: 1.0\r\n"
            'Content-Type: multipart/mixed; boundary="limite"\r\n\r\n'
            "--limite\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nBonjour.\r\n"
            '--limite\r\nContent-Type: application/zip; name="IHE_XDM.zip"\r\n'
            'Content-Disposition: attachment; filename="IHE_XDM.zip"\r\n'
            "Content-Transfer-Encoding: base64\r\n\r\n"
        ).encode("ascii")
        found.append(Message(ident, head, body))
    return found


def run(folder: Path, case: Case, rounds: int, seconds: float, say: Callable[[str], None]) -> ArchiveFigures:
    """Measure; raises as `measure.run` does. Both gateways run all the time and take turns, `TURNS` in each round."""
    archive = archive_of(case.size)
    facts = read_facts(archive)
    if facts.problem:
        raise OSError(f"the archive of the bench is refused: {facts.problem}")
    figures = ArchiveFigures(len(archive))
    for _ in range(READINGS):
        before = time.process_time()
        read_facts(archive)
        figures.reading_ms.append(1000 * (time.process_time() - before))
    with ExitStack() as stack:
        clinics = {
            gate: stack.enter_context(running(folder / gate, rules_archive_gate=gate)) for gate in GATES
        }
        for number in range(rounds * TURNS + 1):
            for gate, clinic in clinics.items():
                messages = _messages(clinic.to_patient, archive, case.messages // TURNS, f"xdm-{number}")
                figures.message_octets = len(messages[0].head) + len(messages[0].body)
                spent = _sent(clinic, messages, seconds)
                if number > 0:  # the first turn warms
                    figures.message_ms.setdefault(gate, []).append(spent)
            if number and number % TURNS == 0:
                last = {gate: statistics.median(found[-TURNS:]) for gate, found in figures.message_ms.items()}
                told = ", ".join(
                    f"{GATES[gate]} {spent:.1f} CPU ms per message" for gate, spent in last.items()
                )
                say(f"{case.name}, round {number // TURNS}: {told}")
    return figures


def _sent(clinic: Clinic, messages: list[Message], seconds: float) -> float:
    """CPU milliseconds of the gateway for each message, until the last one is seen; one after the other."""
    with Mailbox(clinic.to_patient) as box:
        there = box.count()
        load = Load(clinic.to_patient, messages, Plan(seconds=seconds, connections=1))
        before = cpu_seconds(clinic.roots())
        load.go()
        while not load.wait(LOOK_SECONDS):
            pass
        accepted = summarise(load.started, load.shares).accepted
        await_seen(box, there + accepted, seconds)
        return 1000 * (cpu_seconds(clinic.roots()) - before) / accepted


def table(case: Case, figures: ArchiveFigures) -> list[str]:
    """The lines of the case."""
    reading, whole = figures.reading_ms, figures.message_ms
    lines = [
        f"\n{case.name}: {case.about}",
        f"  archive of {figures.archive_octets} octets, message of {figures.message_octets}",
        f"  reading alone, CPU ms: best {min(reading):.1f}, median {statistics.median(reading):.1f}"
        f" of {len(reading)}",
    ]
    for gate, found in whole.items():
        lines.append(
            f"  a message, {GATES[gate]}, CPU ms: best {min(found):.1f}, median {statistics.median(found):.1f}"
            f" of {len(found)} turns"
        )
    if set(whole) == set(GATES):
        best, middle = figures.added(min), figures.added(statistics.median)
        met = "met" if max(best, min(reading)) < AIM_MS else "NOT MET"
        lines.append(
            f"  the gate adds, CPU ms: best {best:.1f}, median {middle:.1f}; aim < {AIM_MS:g}: {met}"
        )
    return lines
