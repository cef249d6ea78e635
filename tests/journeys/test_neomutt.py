"""neomutt in batch: it logs in over TLS and sends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.journeys import ran, stored
from tests.support.neomutt import neomutt_command
from tests.support.process import GatewayProcess

pytestmark = pytest.mark.foreign


SENDS = """\
set ssl_verify_host = no
set smtp_url = "smtps://{user}@localhost:{port}/"
set smtp_pass = "{doctor.password}"
set from = "{doctor.address}"
set use_from = yes
set envelope_from_address = "{doctor.address}"
set hostname = "clinique-exemple.mssante.fr"
set record = ""
set copy = no
"""
"""Of the professional's account."""


def neomutt(gateway: GatewayProcess, folder: Path, *arguments: str, data: bytes = b"") -> str:
    """One run; what it printed."""
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "TERM": "xterm", "LANG": "C.UTF-8"}
    handout = gateway.handout
    doctor = handout.account("PER")
    user, port = doctor.login.replace("@", "%40"), handout.ports.submissions
    command = neomutt_command(handout, doctor, folder, SENDS.format(doctor=doctor, user=user, port=port))
    status, said = ran([*command, *arguments], data=data, env=environment)
    assert status == 0, said
    return said


@pytest.mark.req("BAL-6")
def test_neomutt_sends(gateway: GatewayProcess, tmp_path: Path) -> None:
    """A message with an accented subject reaches the shared mailbox."""
    office = gateway.handout.account("ORG")
    message_id = f"<neomutt-{os.getpid()}-{tmp_path.name}@clinique-exemple.mssante.fr>"
    neomutt(
        gateway,
        tmp_path,
        "-s",
        "Réunion de l'équipe",
        "-e",
        f"my_hdr Message-ID: {message_id}",
        office.address,
        data="À demain.\n".encode(),
    )
    kept = stored(gateway.handout, office, message_id)
    assert kept is not None
    assert b"with ESMTPSA" in kept
