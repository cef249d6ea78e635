"""A peer that was good a moment ago: a new CRL or list holds for connections that are open already (TRU-2, 3, 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.audit import MATRIX, NOT_LISTED, REVOKED
from tests.support.audit_kinds import Space
from tests.support.audit_peers import client_context, message
from tests.support.audit_space import Audited, audited, certificates, entries
from tests.support.journeys import letter
from tests.support.wires import Smtp

(VALID,) = (row for row in MATRIX if row.name == "valid")
Change = Callable[[Audited], None]


def revoke(gateway: Audited) -> None:
    """A new CRL names the peer's certificate."""
    issued = certificates()[VALID.name]
    assert issued is not None
    gateway.files_of_trust.put_crls([issued])


def give_away(gateway: Audited) -> None:
    """A new list gives the peer's domain to somebody else."""
    gateway.files_of_trust.put_list(entries(VALID.domain))


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Audited]:
    """One peer, at both ends of the wire."""
    with audited(tmp_path, Space.CURRENT, [VALID]) as found:
        yield found


def reload(gateway: Audited, change: Change) -> None:
    """What the watcher does when a file has changed."""
    change(gateway)
    assert gateway.served.parts.trust.poll()
    gateway.served.parts.book.forget()


@pytest.mark.req("TRU-2", "TRU-3", "TRU-4")
@pytest.mark.parametrize(
    ("change", "reply", "reason"),
    [
        (revoke, f"550 5.7.1 {REVOKED}", "certificate-revoked"),
        (give_away, NOT_LISTED.line, NOT_LISTED.reason),
    ],
    ids=["revoked", "no-longer-listed"],
)
def test_an_open_session_is_refused_at_its_next_message(
    gateway: Audited, change: Change, reply: str, reason: str
) -> None:
    """The session is not cut: what was begun is finished, and the next MAIL is refused with the reason."""
    doctor, sender = gateway.served.account("PER").address, f"expediteur@{VALID.domain}"
    wire = Smtp(gateway.served.handout.ports.mta)
    wire.hello()
    wire.start_tls(client_context(VALID, gateway.files(VALID)))
    wire.hello()
    wire.envelope(sender, doctor)
    reload(gateway, change)
    assert wire.data(message(VALID, doctor)).startswith("250 2.0.0")
    assert wire.command(f"MAIL FROM:<{sender}>").startswith(reply)
    assert wire.command("NOOP").startswith("250")
    assert [line.detail["reason"] for line in gateway.refused_since(0)] == [reason]
    wire.close()


@pytest.mark.req("TRU-2", "TRU-5", "QUE-1")
@pytest.mark.parametrize(
    ("change", "reason"),
    [(revoke, "certificate-revoked"), (give_away, "dn-not-listed")],
    ids=["revoked", "no-longer-listed"],
)
def test_a_connection_kept_is_not_used_for_the_next_letter(
    gateway: Audited, change: Change, reason: str
) -> None:
    """The letter waits; over the connection that stood open nothing more is said."""
    doctor, end = gateway.served.account("PER"), gateway.ends[VALID.name]
    recipients = [f"{local}@{VALID.domain}" for local in ("un", "deux")]

    def write(recipient: str) -> None:
        client = gateway.served.submission(doctor)
        data = letter(doctor.address, recipient)[1]
        assert client.deliver(doctor.address, recipient, data).startswith("250")
        client.close()

    write(recipients[0])
    assert gateway.attempted(recipients[0]) is None
    reload(gateway, change)
    write(recipients[1])
    waiting = gateway.attempted(recipients[1])
    assert waiting is not None
    assert waiting.last_error.partition(":")[0] == reason
    assert len(end.mail) == 1
    assert len([line for line in end.commands if line.startswith("MAIL")]) == 1
