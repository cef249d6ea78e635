"""The examples of configurations can be used as they stand: each is read, and the two operators exchange for real."""

from __future__ import annotations

import asyncio
import imaplib
import smtplib
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from mss_gateway.app.gateway import Running, run
from mss_gateway.app.tables import operations
from mss_gateway.settings import Settings
from mss_gateway.trust.guard import Trust
from tests.support.examples import EXAMPLES, furnished
from tests.support.ports import free_ports

pytestmark = pytest.mark.timeout(600)
DOORS = ("mta", "submission", "submissions", "imap", "imaps")
DOCTOR, INS = "docteur.exemple@region-exemple.mssante.fr", "285037728417346"
PATIENT, PASSWORD = f"{INS}@patient.mssante.fr", "une phrase de passe"
WAIT = 60.0  # seconds; only a message that does not come reaches it


@pytest.mark.req("OPS-6")
@pytest.mark.parametrize(
    "example", sorted(str(one.relative_to(EXAMPLES)) for one in EXAMPLES.rglob("*.toml"))
)
def test_an_example_is_read_and_its_trust_space_is_whole(example: str, tmp_path: Path) -> None:
    """Every key is known, every value allowed; nothing alarms once the files are there."""
    settings, space = furnished(example, tmp_path)
    trust = Trust(settings.trust)
    assert not trust.alarms()
    assert space.patient_domain in trust.trusted_list.domains


@contextmanager
def served(settings: Settings) -> Iterator[Running]:
    """The gateway of these settings in a thread, until the end of the block."""
    ready, started, stop = threading.Event(), list[Running](), list[Any]()

    def serve() -> None:
        async def main() -> None:
            stop.append(asyncio.get_running_loop())
            await run(settings, lambda running: (started.append(running), ready.set())[1], signals=False)

        asyncio.run(main())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(WAIT)
    try:
        yield started[0]
    finally:
        stop[0].call_soon_threadsafe(started[0].stop.set)
        thread.join(WAIT)


async def provisioned(settings: Settings, operation: str, **arguments: object) -> None:
    """One operation on a gateway that does not run."""
    async with operations(settings) as table:
        await table[operation]({"actor": "test", "password": PASSWORD, **arguments})


def doors(own: list[int], routes: str) -> dict[str, str]:
    """Places on loopback for the doors of an example, and where its neighbour is."""
    places = {f"listen_{door}": f"127.0.0.1:{port}" for door, port in zip(DOORS, own, strict=True)}
    return {**places, "relay_routes": routes}


@pytest.mark.req("OPS-6", "RTE-2")
def test_the_two_operators_exchange(tmp_path: Path) -> None:
    """A professional of the first half writes to a patient of the second, over mutual TLS between the two."""
    ours, theirs = free_ports(5), free_ports(5)
    one, space = furnished(
        "two-operators/professionals.toml",
        tmp_path,
        **doors(ours, f"patient.mssante.fr=127.0.0.1:{theirs[0]}"),
    )
    other, _ = furnished(
        "two-operators/patients.toml",
        tmp_path,
        **doors(theirs, f"region-exemple.mssante.fr=127.0.0.1:{ours[0]}"),
        alerts_mode="off",
    )
    asyncio.run(provisioned(one, "bal.add", address=DOCTOR, type="PER", national_id="899700366240"))
    asyncio.run(provisioned(other, "patient.add", ins=INS, name="Patiente Exemple"))
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = DOCTOR, PATIENT, "Compte rendu"
    letter.set_content("Bonjour.")
    context = ssl.create_default_context(cafile=space.ca)
    context.check_hostname = False
    with ExitStack() as stack:
        stack.enter_context(served(one))
        stack.enter_context(served(other))
        with smtplib.SMTP_SSL("127.0.0.1", ours[2], context=context) as client:
            client.login(DOCTOR, PASSWORD)
            client.send_message(letter)
        with imaplib.IMAP4_SSL("127.0.0.1", theirs[4], ssl_context=context) as reader:
            reader.login(PATIENT, PASSWORD)
            limit = time.monotonic() + WAIT
            while reader.select("INBOX")[1] != [b"1"]:
                assert time.monotonic() < limit
                time.sleep(0.1)
            _, found = reader.fetch("1", "(BODY.PEEK[HEADER.FIELDS (FROM)])")
    assert DOCTOR.encode() in found[0][1]
