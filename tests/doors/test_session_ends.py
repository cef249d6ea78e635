"""Sessions under way when what they rest on ends: a person, a password, a certificate (BAL-5, TRU-2, ACC-2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mss_gateway.dev.wire import tls
from mss_gateway.imapd import idling
from mss_gateway.imapd.progress import Progress
from mss_gateway.pipeline import login
from mss_gateway.trust.refusals import refuse
from tests.support.doors import Served, gateway_in_thread
from tests.support.sasl import Talk
from tests.support.scram import ScramClient
from tests.support.wires import Imap, Smtp

LETTER = b"From: a@b.example\r\nSubject: essai\r\n\r\n" + b"x" * 2000 + b"\r\n"
CHANGED = b"your access to a mailbox has changed"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A gateway that looks at silent clients often."""
    monkeypatch.setattr(idling, "RECHECK", 0.2)
    with gateway_in_thread(tmp_path) as gateway:
        yield gateway
        assert gateway.faults() == 0


def operate(served: Served, name: str, **arguments: object) -> dict[str, Any]:
    """An operation of the running gateway."""
    result: dict[str, Any] = served.call(served.parts.operations[name]({"actor": "cli:test", **arguments}))
    return result


def scram(talk: Talk, login: str, password: str, *, until: str = "") -> tuple[str, bytes]:
    """A whole SCRAM exchange; `until="proof"` stops before the client's empty answer."""
    client = ScramClient(login, password)
    kind, first = talk.begin("SCRAM-SHA-256", client.first())
    assert kind == "+"
    kind, final = talk.say(client.final(first))
    if kind != "+":
        return kind, final
    client.verify(final)
    return ("+", final) if until == "proof" else talk.say(b"")


@pytest.mark.req("BAL-5", "ACC-2")
@pytest.mark.parametrize("kind", ["smtp", "imap"])
def test_scram_does_not_outlive_its_person(served: Served, kind: str) -> None:
    """Disabled between the proof and the client's last word: the exchange fails as a wrong password does."""
    account = served.account("PER")
    served.submission(account).close()  # makes the SCRAM keys
    wire: Smtp | Imap = (
        Imap(served.handout.ports.imaps, tls(served.handout)) if kind == "imap" else served.submission()
    )
    talk = Talk(wire)
    assert scram(talk, account.login, account.password, until="proof")[0] == "+"
    operate(served, "person.disable", login=account.login, reason="essai")
    said, text = talk.say(b"")
    assert (said, b"Login or password is wrong" in text) == ("NO", True)
    wire.close()


@pytest.mark.req("BAL-5")
def test_idle_ends_when_its_person_is_disabled(served: Served) -> None:
    """Without any news, and without a folder in hand."""
    account = served.account("PER")
    silent, reading = served.imap(account), served.imap(account, select="INBOX")
    for wire in (silent, reading):
        wire.begin("IDLE")
        assert wire.response().startswith(b"+ ")
    operate(served, "person.disable", login=account.login, reason="essai")
    for wire in (silent, reading):
        assert CHANGED in wire.rest()


@pytest.mark.req("BAL-5", "ACC-2")
def test_an_open_session_of_scram_ends_with_its_password(served: Served) -> None:
    """IDLE and SMTP alike; the new password opens both again."""
    account = served.account("PER")
    served.submission(account).close()
    imap, smtp = Imap(served.handout.ports.imaps, tls(served.handout)), served.submission()
    for wire in (imap, smtp):
        assert scram(Talk(wire), account.login, account.password)[0] == "OK"
    imap.ok("SELECT INBOX")
    imap.begin("IDLE")
    operate(served, "person.passwd", login=account.login, password="un-nouveau-mot-de-passe")
    assert CHANGED in imap.rest()
    assert smtp.command(f"MAIL FROM:<{account.address}>").startswith("421 4.7.0")
    again = served.submission()
    assert scram(Talk(again), account.login, account.password)[0] == "NO"
    assert scram(Talk(again), account.login, "un-nouveau-mot-de-passe")[0] == "OK"


@pytest.mark.req("BAL-5", "BAL-6")
@pytest.mark.parametrize("what", ["member", "delegate"])
def test_a_message_under_way_does_not_outlive_the_right_to_send_it(served: Served, what: str) -> None:
    """A member is disabled, a delegation taken away after DATA: nothing is stored, and the session ends."""
    team, account = served.account("ORG"), served.account("PER")
    sender, login = team.address, team.login
    wire = served.submission(team)
    if what == "delegate":
        wire.close()
        sender, login = f"chef@{account.address.partition('@')[2]}", account.login
        box = {"address": sender, "type": "PER", "national_id": "810000000017", "display": "Chef Essai"}
        operate(served, "bal.add", **box, password="motdepasse-du-chef")
        operate(served, "bal.delegate", address=sender, login=login, until="2999-01-01", reason="congé")
        wire = served.submission(account)
    wire.envelope(sender, account.address)
    assert wire.command("DATA").startswith("354")
    wire.send(f"From: {sender}\r\nMessage-ID: <x@y.example>\r\n\r\nTexte\r\n".encode())
    if what == "delegate":
        operate(served, "bal.delegate", address=sender, login=login, remove=True)
    else:
        operate(served, "person.disable", login=login, reason="départ")
    wire.send(b".\r\n")
    assert wire.reply().startswith("421 4.7.0 Your access"), what
    assert served.imap(account).ok("STATUS INBOX (MESSAGES)")[0].endswith(b"(MESSAGES 0)")
    assert served.spooled == []


@pytest.mark.req("BAL-5")
@pytest.mark.parametrize("items", ["(UID FLAGS)", "(BODY.PEEK[])", "(BODY[])"])
def test_a_long_fetch_ends_with_its_person(
    served: Served, monkeypatch: pytest.MonkeyPatch, items: str
) -> None:
    """A whole mailbox takes minutes: whoever is disabled meanwhile gets no further batch."""
    account = served.account("PER")
    imap = served.imap(account)
    for _ in range(70):
        assert imap.append("INBOX", LETTER).startswith(b"OK")
    imap.ok("SELECT INBOX")
    monkeypatch.setattr("mss_gateway.imapd.fetchlines.LIGHT", 20)
    door = served.parts.login
    admitted = door.still

    async def never(principal: object) -> bool:
        return False

    before = Progress.tick

    async def disabled(self: Any, done: int, total: int) -> None:
        door.still = never  # type: ignore[method-assign]
        door.directory_changed()
        await before(self, done, total)

    monkeypatch.setattr(Progress, "tick", disabled)
    lines, ending = imap.run(f"FETCH 1:* {items}")
    assert ending.startswith(b"NO [NOPERM]")
    assert 0 < sum(b" FETCH " in line[:20] for line in lines) < 70
    imap.begin("NOOP")
    assert CHANGED in imap.rest()
    door.still = admitted  # type: ignore[method-assign]


@pytest.mark.req("BAL-4", "TRU-2")
def test_software_goes_when_its_certificate_does(served: Served) -> None:
    """Revoked or expired after the login: the next mail and the next command are refused, and IDLE ends."""
    app = served.handout.app
    smtp = served.submission(credential=app)
    assert smtp.command("AUTH EXTERNAL =").startswith("235")
    imaps = [Imap(served.handout.ports.imaps, tls(served.handout, app)) for _ in range(2)]
    for imap in imaps:
        imap.ok("AUTHENTICATE EXTERNAL =")
        imap.ok("SELECT INBOX")
    imaps[0].begin("IDLE")
    trust = served.parts.trust
    judged = trust.identify
    trust.identify = lambda der: refuse("certificate-revoked")  # type: ignore[method-assign]
    assert smtp.command("MAIL FROM:<application@exemple.mssante.fr>").startswith("421 4.7.0")
    assert CHANGED in imaps[0].rest()
    imaps[1].begin("NOOP")
    assert CHANGED in imaps[1].rest()
    trust.identify = judged  # type: ignore[method-assign]


@pytest.mark.req("ACC-3")
def test_every_answer_but_a_login_is_paced(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is known is found with less work than who is not: a refusal and a challenge of SCRAM come by the clock."""
    paced: list[float] = []

    async def noted(began: float) -> None:
        paced.append(began)

    monkeypatch.setattr(login, "_paced", noted)
    account = served.account("PER")
    imap = served.imap()
    assert imap.ending(f"LOGIN {account.login} faux").startswith(b"NO")
    assert Talk(imap).begin("PLAIN", b"\0personne\0faux")[0] == "NO"
    assert len(paced) == 2
    talk = Talk(imap)
    assert talk.begin("SCRAM-SHA-256", ScramClient("personne", "faux").first())[0] == "+"
    assert len(paced) == 3
    talk.raw(b"*")
    imap.ok(f"LOGIN {account.login} {account.password}")
    assert len(paced) == 3
