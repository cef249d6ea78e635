"""Thunderbird sets itself up from an address and a password, and reads the first message (ACC-4)."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.support.clients import deliver
from tests.support.connecting import leading_to
from tests.support.ops import ops_gateway
from tests.support.thunderbird import SCREEN, Thunderbird

pytestmark = [pytest.mark.foreign, pytest.mark.timeout(600)]
DOMAIN = "clinique-exemple.mssante.fr"
ARTEFACTS = Path(os.environ.get("ARTEFACTS") or Path(__file__).parents[2] / "build" / "artefacts")


@pytest.fixture
def thunderbird(tmp_path: Path) -> Iterator[Thunderbird]:
    """A started one without any account."""
    program = Thunderbird(tmp_path)
    try:
        program.start()
        yield program
    finally:
        program.close()


@pytest.mark.req("ACC-4", "ACC-1", "IMP-1")
def test_thunderbird_configures_itself(tmp_path: Path, thunderbird: Thunderbird) -> None:
    """Its own discovery asks autoconfig.DOMAIN over HTTPS, its own parser reads our answer, the account logs in."""
    authority = trustme.CA()
    (tmp_path / "ops").mkdir()
    pair = tmp_path / "ops" / "door.pem", tmp_path / "ops" / "door.key"
    names = (f"autoconfig.{DOMAIN}", DOMAIN, "localhost")
    made = authority.issue_cert(*names)
    made.cert_chain_pems[0].write_to_path(str(pair[0]))
    made.private_key_pem.write_to_path(str(pair[1]))
    with ops_gateway(tmp_path / "ops", certificate=pair[0], key=pair[1]) as ops:
        doctor = ops.served.account("PER")
        deliver(ops.served, doctor, "Première lettre")
        with leading_to(ops.port) as (proxy, asked):
            theirs = Path(ops.served.handout.ca).read_text(encoding="ascii")
            mail_ca = theirs[: theirs.index("-----END") + len("-----END CERTIFICATE-----")]
            door_ca = authority.cert_pem.bytes().decode().strip()
            source, _, incoming, outgoing, others, _ = thunderbird.discover_account(
                doctor.address, doctor.password, proxy, mail_ca, door_ca
            )
        ports = ops.served.handout.ports
        assert source == "xml"
        assert incoming == ["imap", "localhost", ports.imaps, doctor.address, True, True]
        assert outgoing == ["smtp", "localhost", ports.submissions, doctor.address, True, True]
        assert [one[2] for one in others] == [ports.imap]
        assert f"autoconfig.{DOMAIN}:443" in asked
        assert "déjà prêts" in thunderbird.read("Inbox", "Première lettre")
        assert thunderbird.refusals() == []
        picture = thunderbird.screenshot()
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        (ARTEFACTS / "thunderbird-autoconfig.png").write_bytes(picture)
        assert struct.unpack(">II", picture[16:24]) == SCREEN
