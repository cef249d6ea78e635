"""None of the clients talks to a gateway whose authority it does not know: their verification is really on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from tests.journeys.test_clients_desk import Curl, imapfilter
from tests.journeys.test_clients_fetch import FETCHMAIL, GETMAIL, configured, fetchmail
from tests.journeys.test_clients_sync import MBSYNC, OFFLINEIMAP, Mirror
from tests.support.clients import home
from tests.support.doors import Served
from tests.support.foreign import require_program
from tests.support.journeys import ran

pytestmark = [pytest.mark.foreign, pytest.mark.req("ACC-1")]
EITHER = ("fetchmail", "imapfilter", "curl")
CLIENTS = ["mbsync", "offlineimap", "getmail", *EITHER, *(f"{name} with STARTTLS" for name in EITHER)]


@pytest.fixture
def stranger(served: Served, tmp_path: Path) -> Iterator[Served]:
    """The gateway, and in the place of its authority another one's certificate."""
    known, path = served.handout, tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    served.handout = replace(known, ca=str(path))
    yield served
    served.handout = known


def commands(served: Served, folder: Path, name: str) -> list[str]:
    """The command line of a client that is told to trust the other authority."""
    ports = served.handout.ports
    match name:
        case "mbsync":
            return Mirror(name, MBSYNC, served, folder).command
        case "offlineimap":
            return Mirror(name, OFFLINEIMAP, served, folder).command
        case "getmail":
            more = {"delete": "false", "mail": str(folder), "user": ""}
            for part in ("cur", "new", "tmp"):
                (folder / part).mkdir()
            config = configured(GETMAIL, served, folder, ports.imaps, **more)
            return [require_program(name), f"--getmaildir={folder}", f"--rcfile={config}"]
        case "fetchmail":
            return fetchmail(
                configured(FETCHMAIL, served, folder, ports.imaps, tls="ssl", options=""), folder
            )
        case "fetchmail with STARTTLS":
            return fetchmail(configured(FETCHMAIL, served, folder, ports.imap, tls="", options=""), folder)
        case "imapfilter":
            return imapfilter(served, folder)
        case "imapfilter with STARTTLS":
            return imapfilter(served, folder, "box.INBOX:check_status()")
    curl = Curl(served, starttls=name.endswith("STARTTLS"))
    return [*curl.command, curl.where]


@pytest.mark.parametrize("name", CLIENTS)
def test_an_unknown_authority_ends_the_session(stranger: Served, tmp_path: Path, name: str) -> None:
    """The program fails and speaks of the certificate."""
    folder = tmp_path / "home"
    folder.mkdir()
    status, said = ran(commands(stranger, folder, name), env=home(folder))
    assert "certificate" in said.lower(), said
    assert status != 0, said
