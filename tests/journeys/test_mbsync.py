"""mbsync keeps a Maildir and a mailbox alike, in both directions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.foreign import require_program
from tests.support.journeys import letter, ran, stored
from tests.support.process import GatewayProcess

pytestmark = pytest.mark.foreign


def configuration(gateway: GatewayProcess, folder: Path) -> Path:
    """An mbsyncrc for the CAB mailbox."""
    handout = gateway.handout
    account = handout.account("CAB")
    (folder / "mail").mkdir(exist_ok=True)
    path = folder / "mbsyncrc"
    path.write_text(
        f"""
IMAPAccount gateway
Host localhost
Port {handout.ports.imaps}
User {account.login}
Pass {account.password}
SSLType IMAPS
CertificateFile {handout.ca}

IMAPStore far
Account gateway

MaildirStore near
Path {folder}/mail/
Inbox {folder}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
""",
        encoding="utf-8",
    )
    return path


def synced(gateway: GatewayProcess, folder: Path) -> str:
    """One run of mbsync."""
    status, said = ran([require_program("mbsync"), "-c", str(configuration(gateway, folder)), "-V", "-a"])
    assert status == 0, said
    return said


def files(folder: Path, name: str) -> list[Path]:
    """Messages of a Maildir folder."""
    return [path for part in ("cur", "new") for path in (folder / "mail" / name / part).iterdir()]


@pytest.mark.req("RTE-7")
def test_both_directions(gateway: GatewayProcess, tmp_path: Path) -> None:
    """Mail comes down byte for byte; a new folder, a message, a flag and a deletion go up."""
    handout = gateway.handout
    account = handout.account("CAB")
    down_id, data = letter(handout.app.address, account.address)
    submit(gateway, data, account.address)
    assert stored(handout, account, down_id) is not None
    synced(gateway, tmp_path)
    down = [path for path in files(tmp_path, "INBOX") if down_id.encode() in path.read_bytes()]
    assert len(down) == 1
    kept = stored(handout, account, down_id)
    assert kept is not None
    # mbsync keeps Maildir files with LF and adds its own header.
    lines = [line for line in down[0].read_bytes().split(b"\n") if not line.startswith(b"X-TUID:")]
    assert b"\n".join(lines).strip() == kept.replace(b"\r\n", b"\n").strip()

    up_id, letter_up = letter(account.address, account.address, "Déposé")
    archive = tmp_path / "mail" / "Archive" / "cur"
    (archive / "1.journey:2,FS").write_bytes(letter_up.replace(b"\r\n", b"\n"))
    down[0].rename(down[0].parent.parent / "cur" / (down[0].name.partition(":")[0] + ":2,T"))
    synced(gateway, tmp_path)
    assert stored(handout, account, down_id, wait=0) is None
    assert flags_in_archive(gateway, up_id) == {"\\Flagged", "\\Seen"}
    before = sorted(path.name for name in ("INBOX", "Archive") for path in files(tmp_path, name))
    synced(gateway, tmp_path)
    assert sorted(path.name for name in ("INBOX", "Archive") for path in files(tmp_path, name)) == before


def submit(gateway: GatewayProcess, data: bytes, recipient: str) -> None:
    """A message from the APP mailbox by its certificate, with smtplib."""
    import smtplib

    from mss_gateway.dev.wire import tls

    handout = gateway.handout
    with smtplib.SMTP("127.0.0.1", handout.ports.submission, timeout=20) as smtp:
        smtp.starttls(context=tls(handout, handout.app))
        smtp.ehlo("logiciel.example")
        smtp.auth("EXTERNAL", lambda _=None: handout.app.address)
        smtp.sendmail(handout.app.address, [recipient], data)


def flags_in_archive(gateway: GatewayProcess, message_id: str) -> set[str]:
    """Flags of a message of the Archive folder, by imapclient."""
    import imapclient

    from tests.support.journeys import HOST, trusting

    account = gateway.handout.account("CAB")
    with imapclient.IMAPClient(
        HOST, gateway.handout.ports.imaps, ssl_context=trusting(gateway.handout)
    ) as client:
        client.login(account.login, account.password)
        client.select_folder("Archive")
        found = client.search(["HEADER", "Message-ID", message_id])
        assert len(found) == 1
        return {flag.decode() for flag in client.get_flags(found)[found[0]]}
