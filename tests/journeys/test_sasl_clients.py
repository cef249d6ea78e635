"""Other people's SASL: GNU SASL, Cyrus SASL in mbsync, swaks, Python's smtplib and imaplib."""

from __future__ import annotations

import imaplib
import smtplib
from pathlib import Path

import pytest

from tests.support.doors import Served
from tests.support.foreign import require_program
from tests.support.journeys import HOST, ran, trusting

pytestmark = [pytest.mark.foreign, pytest.mark.req("ACC-2")]


@pytest.fixture
def scene(served: Served) -> Served:
    """The sample's passwords were set by another gateway: one PLAIN login makes keys that this one can open."""
    served.submission(served.account("PER")).close()
    return served


def gsasl(served: Served, *words: str, password: str = "") -> tuple[int, str]:
    """GNU SASL's own client at our IMAP port; it ends after the login."""
    account = served.account("PER")
    command = [require_program("gsasl"), "--client", "--imap", "-a", account.login]
    command += ["-p", password or account.password, "--x509-ca-file", served.handout.ca, *words]
    return ran([*command, "localhost", str(served.handout.ports.imap)])


@pytest.mark.parametrize(
    ("words", "mechanism"),
    [
        (("--no-cb",), "SCRAM-SHA-256"),
        (("--priority=NORMAL:-VERS-TLS1.3",), "SCRAM-SHA-256-PLUS"),
        (("-m", "PLAIN"), "PLAIN"),
        (("-m", "LOGIN"), "LOGIN"),
    ],
)
def test_gnu_sasl_logs_in(scene: Served, words: tuple[str, ...], mechanism: str) -> None:
    """It takes the best mechanism itself, binds to the channel in TLS 1.2, and checks our signature."""
    status, said = gsasl(scene, "-z", "", *words)
    assert status == 0, said
    assert f". AUTHENTICATE {mechanism}\r\n" in said.replace("\r\n", "\n").replace("\n", "\r\n")
    assert "logged in" in said
    assert "Client authentication finished (server trusted)" in said


@pytest.mark.parametrize("words", [("--no-cb",), ("--priority=NORMAL:-VERS-TLS1.3",)])
def test_gnu_sasl_with_a_wrong_password_is_refused(scene: Served, words: tuple[str, ...]) -> None:
    """The other way round."""
    status, said = gsasl(scene, "-z", "", *words, password="something else")
    assert status != 0
    assert "Login or password is wrong" in said


@pytest.mark.parametrize(
    ("words", "mechanism"),
    [(("--no-cb",), "SCRAM-SHA-256"), (("--priority=NORMAL:-VERS-TLS1.3",), "SCRAM-SHA-256-PLUS")],
)
def test_gnu_sasl_logs_in_to_submission(scene: Served, words: tuple[str, ...], mechanism: str) -> None:
    """The same at the other door."""
    account = scene.account("PER")
    command = [require_program("gsasl"), "--client", "--smtp", "-a", account.login, "-p", account.password]
    command += ["-z", "", "--x509-ca-file", scene.handout.ca, *words]
    status, said = ran([*command, "localhost", str(scene.handout.ports.submission)])
    assert status == 0, said
    assert f"AUTH {mechanism}" in said
    assert "235 2.7.0" in said
    assert "Client authentication finished (server trusted)" in said


def test_mbsync_logs_in_by_scram(scene: Served, tmp_path: Path) -> None:
    """Cyrus SASL, of which half of the world's mail programs are made; it refuses many iterations."""
    account = scene.account("PER")
    (tmp_path / "mail").mkdir()
    config = tmp_path / "mbsyncrc"
    config.write_text(
        f"""
IMAPAccount ours
Host localhost
Port {scene.handout.ports.imaps}
User {account.login}
Pass {account.password}
SSLType IMAPS
CertificateFile {scene.handout.ca}
AuthMechs SCRAM-SHA-256

IMAPStore far
Account ours

MaildirStore near
Path {tmp_path}/mail/
Inbox {tmp_path}/mail/INBOX

Channel all
Far :far:
Near :near:
Patterns INBOX
Create Near
SyncState *
"""
    )
    status, said = ran([require_program("mbsync"), "-V", "-D", "-c", str(config), "all"])
    assert status == 0, said
    assert "AUTHENTICATE SCRAM-SHA-256" in said
    assert (tmp_path / "mail" / "INBOX" / "cur").is_dir()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks_logs_in(scene: Served, mechanism: str) -> None:
    """It knows no SCRAM with SHA-256."""
    account = scene.account("PER")
    command = [require_program("swaks"), "--server", HOST, "--port", str(scene.handout.ports.submission)]
    command += ["-tls", "--auth", mechanism, "--auth-user", account.login, "--auth-password"]
    status, said = ran([*command, account.password, "--quit-after", "AUTH"])
    assert status == 0, said
    assert "235 2.7.0" in said


@pytest.mark.parametrize("method", ["auth_plain", "auth_login"])
@pytest.mark.parametrize("initial", [True, False])
def test_smtplib_logs_in(scene: Served, method: str, initial: bool) -> None:
    """With and without an initial response."""
    account = scene.account("PER")
    with smtplib.SMTP_SSL(HOST, scene.handout.ports.submissions, context=trusting(scene.handout)) as smtp:
        smtp.ehlo()
        smtp.user, smtp.password = account.login, account.password  # type: ignore[attr-defined]
        code, _ = smtp.auth(method[5:].upper(), getattr(smtp, method), initial_response_ok=initial)
        assert code == 235


def test_imaplib_logs_in_by_plain(scene: Served) -> None:
    """AUTHENTICATE without an initial response."""
    account = scene.account("PER")
    context = trusting(scene.handout)
    with imaplib.IMAP4_SSL(HOST, scene.handout.ports.imaps, ssl_context=context) as imap:
        state, _ = imap.authenticate("PLAIN", lambda _: f"\0{account.login}\0{account.password}".encode())
        assert state == "OK"
