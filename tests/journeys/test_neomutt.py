"""neomutt in batch: it logs in over TLS and sends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.foreign import require_program
from tests.support.journeys import ran, stored
from tests.support.process import GatewayProcess

pytestmark = pytest.mark.foreign


def settings(gateway: GatewayProcess, folder: Path) -> Path:
    """A neomuttrc for the professional's account."""
    handout = gateway.handout
    doctor = handout.account("PER")
    user = doctor.login.replace("@", "%40")
    path = folder / "neomuttrc"
    path.write_text(
        f"""
set certificate_file = "{handout.ca}"
set ssl_force_tls = yes
set ssl_verify_host = no
set imap_user = "{doctor.login}"
set imap_pass = "{doctor.password}"
set smtp_url = "smtps://{user}@localhost:{handout.ports.submissions}/"
set smtp_pass = "{doctor.password}"
set from = "{doctor.address}"
set use_from = yes
set envelope_from_address = "{doctor.address}"
set hostname = "clinique-exemple.mssante.fr"
set record = ""
set copy = no
set header_cache = ""
set tmpdir = "{folder}"
set quit = yes
set mark_old = no
set confirm_append = no
""",
        encoding="utf-8",
    )
    return path


def neomutt(gateway: GatewayProcess, folder: Path, *arguments: str, data: bytes = b"") -> str:
    """One run; what it printed."""
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "TERM": "xterm", "LANG": "C.UTF-8"}
    command = [require_program("neomutt"), "-n", "-F", str(settings(gateway, folder)), *arguments]
    status, said = ran(command, data=data, env=environment)
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
