"""Nobody reads another's mailbox, and a door that was closed stays closed: IMAP and SMTP sessions on a real gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from mss_gateway.dev.handout import Account
from mss_gateway.observe.log import LogOptions
from mss_gateway.pipeline.intake import Intake
from mss_gateway.settings import Settings
from mss_gateway.storage.sqlite import SqliteStore
from tests.support.doors import Served, gateway_in_thread
from tests.support.wires import Closed

OTHER = "154092A12345664"
PASSWORD = "autre-mot-de-passe"
NEW = "un-nouveau-mot-de-passe"
SECRET = "canarisecret"


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway of one's own, with a second patient."""
    with gateway_in_thread(tmp_path_factory.mktemp("reading")) as gateway:
        operate(gateway, "patient.add", ins=OTHER, password=PASSWORD)
        yield gateway
        assert gateway.faults() == 0


def operate(served: Served, name: str, **arguments: str) -> dict[str, Any]:
    """What an operator asks of the running gateway."""
    result: dict[str, Any] = served.call(served.parts.operations[name](arguments))
    return result


def other(served: Served) -> Account:
    """The second patient."""
    address = f"{OTHER}@{served.account('PAT').address.partition('@')[2]}"
    return Account(address, address, PASSWORD, "PAT")


def filled(served: Served, account: Account) -> None:
    """A folder with a word that only its owner may ever see."""
    wire = served.imap(account)
    wire.ok("CREATE Dossier")
    message = f"Subject: {SECRET}\r\n\r\n{SECRET}\r\n".encode()
    for folder in ("INBOX", "Dossier"):
        assert wire.append(folder, message).startswith(b"OK")
    wire.close()


TRICKS = (
    "Shared/{a}/INBOX",
    "Shared/{a}",
    "shared/{a}/INBOX",
    "SHARED/{a}/Dossier",
    "Shared//{a}/INBOX",
    "Shared/./{a}/INBOX",
    "Shared/{b}/../{a}/INBOX",
    "../{a}/INBOX",
    "/Shared/{a}/INBOX",
    "{a}",
    "{a}/INBOX",
    "~{a}/INBOX",
    "#user/{a}/INBOX",
    "user.{a}",
    "Other Users/{a}/INBOX",
    "INBOX/../../{a}",
    "Shared/&-{a}/INBOX",
    "&AFMAaABhAHIAZQBk-/{a}/INBOX",
    "Shared/{a}&AC8-INBOX",
    "Shared/*/INBOX",
    "Shared/%/INBOX",
    "Shared/{upper}/INBOX",
)


@pytest.mark.req("PAT-4", "BAL-3")
@pytest.mark.parametrize("kind", ["PAT", "PER", "ORG"])
def test_no_mailbox_name_leads_to_somebody_else(served: Served, kind: str) -> None:
    """Every command that takes a name, over every trick, by every type of account."""
    owner = other(served)
    filled(served, owner)
    account = served.account(kind)
    wire = served.imap(account)
    assert wire.append("INBOX", b"Subject: x\r\n\r\nx\r\n").startswith(b"OK")
    wire.ok("SELECT INBOX")
    for trick in TRICKS:
        name = trick.format(a=owner.address, b=account.address, upper=owner.address.upper())
        for command in (
            f'EXAMINE "{name}"',
            f'STATUS "{name}" (MESSAGES)',
            f'DELETE "{name}"',
            f'SUBSCRIBE "{name}"',
        ):
            assert not wire.ending(command).startswith(b"OK"), command
        assert not wire.append(f'"{name}"', b"Subject: x\r\n\r\nx\r\n").startswith(b"OK")
        wire.ok("SELECT INBOX")
        for command in (f'COPY 1 "{name}"', f'MOVE 1 "{name}"'):
            assert not wire.ending(command).startswith(b"OK"), command
        if wire.ending(f'RENAME Trash "{name}x"').startswith(b"OK"):
            wire.ok(f'RENAME "{name}x" Trash')  # it was a folder of one's own with an odd name
        for line in wire.run(f'LIST "" "{name}"')[0]:
            assert OTHER.encode() not in line, line
    assert wire.ok(f"SEARCH TEXT {SECRET}") == [b"* SEARCH"]
    wire.close()
    reader = served.imap(owner, select="INBOX")
    assert reader.ok("SEARCH ALL") == [b"* SEARCH 1"]
    reader.close()


@pytest.mark.req("BAL-5", "PAT-1")
@pytest.mark.parametrize(
    ("kind", "operation", "arguments"),
    [
        ("PER", "bal.suspend", {"reason": "enquete"}),
        ("PER", "bal.close", {"reason": "depart"}),
        ("PER", "bal.passwd", {"password": NEW}),
        ("PAT", "patient.close", {"reason": "opposed"}),
        ("ORG", "bal.suspend", {"reason": "enquete"}),
        ("ORG", "bal.member", {"remove": "yes"}),
    ],
)
def test_an_open_session_ends_when_its_right_ends(
    served: Served, kind: str, operation: str, arguments: dict[str, str]
) -> None:
    """IMAP says BYE at the next command, submission 421 at the next MAIL; another account's sessions go on."""
    account = served.account(kind)
    bystander = served.imap(other(served), select="INBOX")
    reader = served.imap(account, select="INBOX")
    writer = served.submission(account)
    assert writer.command(f"MAIL FROM:<{account.address}>").startswith("250")
    writer.command("RSET")
    operate(served, operation, address=account.address, ins=account.address, login=account.login, **arguments)
    reader.begin("FETCH 1:* (BODY.PEEK[])")
    assert reader.response().startswith(b"* BYE")
    with pytest.raises(Closed):
        reader.response()
    assert writer.command(f"MAIL FROM:<{account.address}>").startswith("421 4.7.0")
    with pytest.raises(Closed):
        writer.reply()
    again = served.imap()
    assert again.ending(f"LOGIN {account.login} {account.password}").startswith(b"NO [AUTHENTICATIONFAILED]")
    bystander.ok("NOOP")
    for wire in (reader, writer, again, bystander):
        wire.close()


@pytest.mark.req("BAL-5", "PAT-1")
def test_a_patients_new_password_ends_the_sessions_of_the_old_one(served: Served) -> None:
    """Closed and taken up again with another password: the session of before does not come back to life."""
    account = served.account("PAT")
    reader = served.imap(account, select="INBOX")
    operate(served, "patient.close", ins=account.address, reason="opposed")
    operate(served, "patient.activate", ins=account.address, password=NEW)
    reader.begin("NOOP")
    assert reader.response().startswith(b"* BYE")
    served.imap(replace(account, password=NEW), select="INBOX").close()
    reader.close()


@pytest.mark.req("BAL-5", "BAL-4")
def test_only_the_sessions_of_the_changed_mailbox_end(served: Served) -> None:
    """Another mailbox's suspension disturbs nobody; software with a certificate is held to it as well."""
    wire = served.imap(served.account("PER"), select="INBOX")
    app = served.submission(credential=served.handout.app)
    assert app.command("AUTH EXTERNAL =").startswith("235")
    operate(served, "bal.suspend", address=served.account("CAB").address, reason="x")
    wire.ok("NOOP")
    assert app.command(f"MAIL FROM:<{served.handout.app.address}>").startswith("250")
    operate(served, "bal.suspend", address=served.handout.app.address, reason="x")
    app.command("RSET")
    assert app.command(f"MAIL FROM:<{served.handout.app.address}>").startswith("421")
    wire.ok("NOOP")
    wire.close()
    app.close()


@pytest.mark.req("ACC-3")
def test_spelling_a_login_otherwise_gives_no_more_tries(served: Served) -> None:
    """Login, address, case and quoted local part are one account to the slowdown."""
    account = served.account("PER")
    local, domain = account.address.split("@")
    spellings = [account.login, account.address.upper(), f'"{local}"@{domain}', f'"\\{local}"@{domain}'] * 3
    replies = []
    for spelling in spellings:
        wire = served.submission()
        replies.append(wire.auth_plain(spelling, "faux-mot-de-passe")[:3])
        wire.close()
    assert replies[:5] == ["535"] * 5
    assert "454" in replies[5:]


@pytest.mark.req("AUD-5", "INS-7")
def test_our_own_faults_tell_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """An exception whose text is full of canaries: in the line, in the store, in a callback of the loop."""

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"{SECRET} {OTHER}")

    def loud() -> None:
        raise RuntimeError(f"{SECRET} {OTHER}")

    def debug(settings: Settings) -> Settings:
        return replace(settings, log=LogOptions("console", "debug"))

    with gateway_in_thread(tmp_path_factory.mktemp("faults"), debug) as served:
        doctor = served.account("PER")
        smtp, imap = served.submission(doctor), served.imap(doctor)
        monkeypatch.setattr(Intake, "recipient", broken)
        monkeypatch.setattr(SqliteStore, "status", broken)
        said = [smtp.command(f"MAIL FROM:<{doctor.address}>"), smtp.command(f"RCPT TO:<{doctor.address}>")]
        assert said[1].startswith("451")
        imap.begin("STATUS INBOX (MESSAGES)")
        with suppress(Closed):
            said.append(imap.response().decode())
        served.loop.call_soon_threadsafe(loud)
        served.call(asyncio.sleep(0))
        assert served.faults() == 3
        monkeypatch.undo()
        smtp.close()
        imap.close()
    out, err = capfd.readouterr()
    for text in (*said, out, err):
        assert SECRET not in text
        assert OTHER not in text
    assert "gateway-fault" in err
    assert "Traceback" not in err
