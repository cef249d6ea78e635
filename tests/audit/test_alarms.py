"""A bad list or CRL on a running gateway: the good one stays; doctor, log, figures and status say so (TRU-3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mss_gateway.dev.listing import Entry, new_signer, signed_list
from tests.support.audit import MATRIX
from tests.support.audit_kinds import Space
from tests.support.audit_space import Audited, audited
from tests.support.pki import Subject, new_pki
from tests.support.trust import HOSTED, OURS

(VALID,) = (row for row in MATRIX if row.name == "valid")
PATIENCE = 60.0  # seconds
Spoil = Callable[[Path], None]


def truncated(folder: Path) -> None:
    """The last octets are missing."""
    path = folder / "list.xml"
    path.write_bytes(path.read_bytes()[:-400])


def of_another_signer(folder: Path) -> None:
    """Well signed, by somebody else."""
    stranger = new_pki(label="AUTRE").organisations
    entries = (Entry(HOSTED, OURS.listed()),)
    (folder / "list.xml").write_bytes(
        signed_list(entries, new_signer(stranger, Subject("alb.autre.example")))
    )


def changed_after_signing(folder: Path) -> None:
    """One domain is another."""
    path = folder / "list.xml"
    path.write_bytes(path.read_bytes().replace(b"<Nom>", b"<Nom>autre-", 1))


def no_crl(folder: Path) -> None:
    """A page of somebody's proxy in place of the CRLs."""
    (folder / "crls.pem").write_bytes(b"<html><title>Connexion requise</title></html>")


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Audited]:
    """A gateway with one good peer, which looks at its files often."""
    monkeypatch.setattr("mss_gateway.app.trusting.TRUST_POLL", 0.2)
    with audited(tmp_path, Space.CURRENT, [VALID]) as found:
        yield found


def asked(gateway: Audited, operation: str) -> dict[str, Any]:
    """What an operation answers."""
    return dict(gateway.served.call(gateway.served.parts.operations[operation]({})))


@pytest.mark.req("TRU-2", "TRU-3", "OPS-2")
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (truncated, "list-malformed"),
        (of_another_signer, "list-signer"),
        (changed_after_signing, "list-signature"),
        (no_crl, "crl-malformed"),
    ],
)
def test_what_cannot_be_used_is_seen_everywhere_and_changes_nothing(
    gateway: Audited, spoil: Spoil, reason: str
) -> None:
    """Mail of a good peer is taken as before, and nothing is accepted that was not."""
    before = asked(gateway, "trust.status")
    known = {alarm["reason"] for alarm in before["alarms"]}  # an authority of this space has no current CRL
    assert reason not in known
    spoil(gateway.files_of_trust.folder)
    until = time.monotonic() + PATIENCE
    while {alarm["reason"] for alarm in asked(gateway, "trust.status")["alarms"]} != known | {reason}:
        assert time.monotonic() < until, "no alarm"
        time.sleep(0.1)
    examined = asked(gateway, "doctor")
    (check,) = (one for one in examined["checks"] if one["name"] == reason)
    assert (check["verdict"], bool(check["next_step"])) == ("bad", True)
    assert not examined["healthy"]
    assert f'mss_trust_alarms{{reason="{reason}"}} 1.0' in asked(gateway, "figures")["text"]
    until = time.monotonic() + PATIENCE
    while not any(line["reason"] == reason for line in gateway.logged(0, "trust-refused")):
        assert time.monotonic() < until, "not in the log"
        time.sleep(0.1)
    after = asked(gateway, "trust.status")
    assert (after["list"]["digest"], after["crls"]) == (before["list"]["digest"], before["crls"])
