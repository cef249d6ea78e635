"""Our gateway alone, with a BAL that writes by submission to a colleague or to a patient."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from mss_gateway.dev.handout import Handout
from mss_gateway.dev.provision import NATIONAL_ID
from mss_gateway.ops.control import ask
from tests.support.foreign import Daemon, listens

from .messages import Target
from .systems import OneProcess, base_port, remove

PASSWORD = "bench-exemple"  # of throw-away mailboxes on loopback


class Clinic(OneProcess):
    """`mss-gateway serve` on the sample space of one gateway with both roles, some settings changed.

    `to_bal` and `to_patient` are the same load by submission from the same BAL, each to a mailbox of one person;
    `to_patient_unfiled` comes from a BAL that files no copies (IMP-2 switched off).
    """

    name = "mss-gateway"

    def __init__(self, folder: Path, settings: Mapping[str, str], program: str = "mss_gateway") -> None:
        folder.mkdir(parents=True)
        self._state = folder / "state"
        command = [sys.executable, "-m", "mss_gateway.dev.sample", str(self._state), str(base_port())]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        self.handout = Handout.read(done.stdout.splitlines()[-1])
        words = ["env", *(f"MSS_GATEWAY_{name.upper()}={value}" for name, value in settings.items())]
        words += [sys.executable, "-m", program, "serve", "--config", self.handout.config]
        super().__init__(Daemon("mss-gateway", words, folder / "gateway.log"))

    def start(self) -> Target:
        """Start, add the BALs of the bench, and return the load to a BAL."""
        control = self._state / "control.sock"
        self._daemon.start(lambda: listens(self.handout.ports.imaps) and control.exists())
        for local in ("collegue", "sans.copie"):
            address = f"{local}@{self._domain}"
            bal = {"address": address, "type": "PER", "national_id": NATIONAL_ID, "password": PASSWORD}
            ask(control, "bal.add", {"actor": "bench", "login": address, **bal})
        unfiled = {"address": f"sans.copie@{self._domain}", "exchange_folder": False}
        ask(control, "bal.set", {"actor": "bench", **unfiled})
        return self.to_bal

    @property
    def _domain(self) -> str:
        return self.handout.account("PER").address.rpartition("@")[2]

    @property
    def to_bal(self) -> Target:
        """From the doctor to a colleague."""
        doctor, address = self.handout.account("PER"), f"collegue@{self._domain}"
        return Target(
            smtp_port=self.handout.ports.submission,
            imap_port=self.handout.ports.imaps,
            ca=Path(self.handout.ca),
            cert=Path(self.handout.operator.cert),
            key=Path(self.handout.operator.key),
            sender=doctor.address,
            recipient=address,
            login=address,
            password=PASSWORD,
            account=doctor.login,
            secret=doctor.password,
        )

    @property
    def to_patient(self) -> Target:
        """From the doctor to the patient."""
        patient = self.handout.account("PAT")
        return replace(self.to_bal, recipient=patient.address, login=patient.login, password=patient.password)

    @property
    def to_patient_unfiled(self) -> Target:
        """From a BAL without the folder of exchanges to the patient."""
        address = f"sans.copie@{self._domain}"
        return replace(self.to_patient, sender=address, account=address, secret=PASSWORD)


@contextlib.contextmanager
def running(folder: Path, **settings: str) -> Iterator[Clinic]:
    """A gateway that serves, its folder removed in the end; `settings` as `rules_archive_gate="off"`."""
    clinic = Clinic(folder, settings)
    try:
        clinic.start()
        yield clinic
    finally:
        clinic.stop()
        remove(folder)
