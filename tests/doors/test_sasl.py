"""Every SASL mechanism at both doors, octet by octet over real sockets (ACC-1, ACC-2, BAL-4)."""

from __future__ import annotations

import itertools
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from mss_gateway.app.logins import login_book
from mss_gateway.dev.wire import tls
from mss_gateway.identity.scramkeys import ScramOptions
from mss_gateway.settings import Settings
from tests.support.doors import Served
from tests.support.sasl import Talk
from tests.support.scram import ScramClient
from tests.support.wires import Imap, Smtp

DOORS = ("smtp", "imap")
WRONG = b"Login or password is wrong, or the mailbox is not active"
ALWAYS = {"SCRAM-SHA-256", "PLAIN", "LOGIN"}
PLUS = "SCRAM-SHA-256-PLUS"

Start = Callable[..., Talk]


@pytest.fixture(scope="module", autouse=True)
def keys(door: Served) -> None:
    """The sample's passwords were set by another gateway: one PLAIN login makes keys that this one can open."""
    door.submission(door.account("PER")).close()


@pytest.fixture
def start(door: Served) -> Iterator[Start]:
    """Opens a connection of a kind; all are closed in the end, and failures forgotten."""
    opened: list[Talk] = []

    def begin(kind: str, credential: Any = None, context: ssl.SSLContext | None = None) -> Talk:
        context = context or tls(door.handout, credential)
        wire: Smtp | Imap
        if kind == "imap":
            wire = Imap(door.handout.ports.imaps, context)
        else:
            wire = Smtp(door.handout.ports.submissions, context)
            wire.hello()
        opened.append(Talk(wire))
        return opened[-1]

    yield begin
    for talk in opened:
        talk.wire.close()
    door.call(_unlock(door))


async def _unlock(door: Served) -> None:
    door.parts.login._accounts._locks.unlock_source("127.0.0.1")


def scram(talk: Talk, client: ScramClient, *, plus: bool = False) -> tuple[str, bytes]:
    """A whole exchange; the answer to the client's final message, or to what came before."""
    kind, data = talk.begin("SCRAM-SHA-256-PLUS" if plus else "SCRAM-SHA-256", client.first())
    return talk.say(client.final(data)) if kind == "+" else (kind, data)


@pytest.fixture
def older(door: Served) -> ssl.SSLContext:
    """A client that knows nothing above TLS 1.2."""
    context = tls(door.handout)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def end_point(talk: Talk) -> bytes:
    """`tls-server-end-point` as the client sees it; the sample's certificates are signed with SHA-256."""
    assert isinstance(talk.wire.socket, ssl.SSLSocket)
    return sha256(talk.wire.socket.getpeercert(True) or b"").digest()


@pytest.mark.req("ACC-1", "ACC-2")
@pytest.mark.parametrize("kind", DOORS)
def test_what_is_offered_depends_on_the_connection(
    door: Served, start: Start, older: ssl.SSLContext, kind: str
) -> None:
    """EXTERNAL with a certificate only, -PLUS where clients can bind; before TLS nothing at all."""
    assert start(kind).offered() == ALWAYS
    assert start(kind, context=older).offered() == ALWAYS | {PLUS}
    assert start(kind, door.handout.app).offered() == ALWAYS | {"EXTERNAL"}
    plain = Imap(door.handout.ports.imap) if kind == "imap" else Smtp(door.handout.ports.submission)
    talk = Talk(plain)
    assert talk.offered() == set()
    account = door.account("PER")
    said = talk.begin("PLAIN", f"\0{account.login}\0{account.password}".encode())
    assert said[0] == "NO"
    assert WRONG not in said[1]
    plain.close()


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("kind", DOORS)
@pytest.mark.parametrize("initial", [True, False])
def test_plain(door: Served, start: Start, kind: str, initial: bool) -> None:
    """With and without an initial response (RFC 4954, RFC 4959)."""
    account = door.account("PER")
    response = f"\0{account.login}\0{account.password}".encode()
    talk = start(kind)
    said = talk.begin("PLAIN", response if initial else None)
    if not initial:
        assert said == ("+", b"")
        said = talk.say(response)
    assert said[0] == "OK", said


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("kind", DOORS)
@pytest.mark.parametrize("initial", [True, False])
def test_login_asks_for_name_and_password(door: Served, start: Start, kind: str, initial: bool) -> None:
    """Some clients send the name at once."""
    account = door.account("PER")
    talk = start(kind)
    said = talk.begin("LOGIN", account.login.encode() if initial else None)
    if not initial:
        assert said == ("+", b"Username:")
        said = talk.say(account.login.encode())
    assert said == ("+", b"Password:")
    assert talk.say(account.password.encode())[0] == "OK"


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("kind", DOORS)
def test_scram(door: Served, start: Start, kind: str) -> None:
    """The server proves that it knows the password, and the client is in after its empty answer."""
    account = door.account("PER")
    client = ScramClient(account.login, account.password)
    talk = start(kind)
    assert talk.begin("SCRAM-SHA-256") == ("+", b"")
    mark, first = talk.say(client.first())
    assert mark == "+"
    assert client.iterations == 0
    mark, final = talk.say(client.final(first))
    assert client.iterations == 65_536
    client.verify(final)
    assert talk.say(b"")[0] == "OK"


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("kind", DOORS)
def test_scram_plus_is_bound_to_our_certificate(
    door: Served, start: Start, older: ssl.SSLContext, kind: str
) -> None:
    """tls-server-end-point (RFC 5929); somebody in between shows another certificate."""
    account = door.account("PER")
    header = b"p=tls-server-end-point,,"
    talk = start(kind, context=older)
    client = ScramClient(account.login, account.password, header=header, binding=end_point(talk))
    mark, final = scram(talk, client, plus=True)
    client.verify(final)
    assert (mark, talk.say(b"")[0]) == ("+", "OK")
    other = ScramClient(account.login, account.password, header=header, binding=sha256(b"other").digest())
    mark, text = scram(start(kind, context=older), other, plus=True)
    assert mark == "NO"
    assert b"made for another TLS connection" in text


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("kind", DOORS)
def test_scram_plus_with_tls_unique(door: Served, start: Start, older: ssl.SSLContext, kind: str) -> None:
    """The binding of TLS 1.2; that of TLS 1.3 is refused with its sentence."""
    account = door.account("PER")
    header = b"p=tls-unique,,"
    talk = start(kind, context=older)
    assert isinstance(talk.wire.socket, ssl.SSLSocket)
    unique = talk.wire.socket.get_channel_binding("tls-unique")
    assert unique
    client = ScramClient(account.login, account.password, header=header, binding=unique)
    client.verify(scram(talk, client, plus=True)[1])
    assert talk.say(b"")[0] == "OK"
    exporter = ScramClient(account.login, "x", header=b"p=tls-exporter,,", binding=b"y")
    refused = scram(start(kind, context=older), exporter, plus=True)
    assert b"needs a channel binding that we can check" in refused[1]


@pytest.mark.req("ACC-2")
def test_tls_unique_is_not_taken_in_a_resumed_session(
    door: Served, start: Start, older: ssl.SSLContext
) -> None:
    """Somebody in between could have made two resumed handshakes equal (RFC 7627 section 1)."""
    account = door.account("PER")
    first = start("imap", context=older)
    assert isinstance(first.wire.socket, ssl.SSLSocket)
    raw = socket.create_connection(("127.0.0.1", door.handout.ports.imaps), 10)
    again = older.wrap_socket(raw, session=first.wire.socket.session)
    assert again.session_reused
    wire = Imap.__new__(Imap)
    wire.socket, wire.buffer, wire._tags = again, b"", itertools.count(1)
    wire.greeting = wire.response()
    talk = Talk(wire)
    unique = again.get_channel_binding("tls-unique") or b""
    client = ScramClient(account.login, account.password, header=b"p=tls-unique,,", binding=unique)
    assert b"needs a channel binding that we can check" in scram(talk, client, plus=True)[1]
    client = ScramClient(
        account.login, account.password, header=b"p=tls-server-end-point,,", binding=end_point(talk)
    )
    client.verify(scram(talk, client, plus=True)[1])
    assert talk.say(b"")[0] == "OK"
    wire.close()


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("kind", DOORS)
def test_scram_plus_in_tls_1_3_by_setting(special: Callable[..., Served], kind: str) -> None:
    """Bound to the certificate, for clients that know how; there is no tls-unique."""

    def on(settings: Settings) -> Settings:
        return replace(settings, login=replace(settings.login, scram=ScramOptions(plus_tls13=True)))

    served = special(on)
    account = served.account("PER")
    served.submission(account).close()
    talk = Talk(served.imap() if kind == "imap" else served.submission())
    assert isinstance(talk.wire.socket, ssl.SSLSocket)
    assert talk.wire.socket.version() == "TLSv1.3"
    assert talk.offered() == ALWAYS | {PLUS}
    unique = ScramClient(account.login, "x", header=b"p=tls-unique,,", binding=b"y")
    assert b"needs a channel binding that we can check" in scram(talk, unique, plus=True)[1]
    header = b"p=tls-server-end-point,,"
    client = ScramClient(account.login, account.password, header=header, binding=end_point(talk))
    client.verify(scram(talk, client, plus=True)[1])
    assert talk.say(b"")[0] == "OK"


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("kind", DOORS)
def test_a_downgrade_is_seen(door: Served, start: Start, older: ssl.SSLContext, kind: str) -> None:
    """The client could bind, and thinks that we cannot: the list of mechanisms was changed on the way."""
    account = door.account("PER")
    able = ScramClient(account.login, account.password, header=b"y,,")
    assert scram(start(kind), able)[0] == "+"
    mark, text = scram(start(kind, context=older), able)
    assert mark == "NO"
    assert b"did not see SCRAM-SHA-256-PLUS although it is offered" in text


@pytest.mark.req("ACC-2", "ACC-3")
@pytest.mark.parametrize("kind", DOORS)
@pytest.mark.parametrize("login", ["right", "nobody@exemple.mssante.fr"])
def test_scram_says_the_same_whoever_is_there(door: Served, start: Start, kind: str, login: str) -> None:
    """Salt, iterations, then the words of any wrong login; both again the same another time."""
    account = door.account("PER")
    seen = []
    for _ in range(2):
        client = ScramClient(account.login if login == "right" else login, "wrong password")
        mark, text = scram(start(kind), client)
        assert mark == "NO"
        assert WRONG in text
        seen.append((client.salt, client.iterations))
    assert seen[0] == seen[1]
    assert len(seen[0][0]) == 16
    assert seen[0][1] == 65_536


@pytest.mark.req("BAL-4")
@pytest.mark.parametrize("kind", DOORS)
def test_external_opens_the_box_of_the_certificate_and_no_other(
    door: Served, start: Start, kind: str
) -> None:
    """Named, or the only one; the certificate of another mailbox is told so."""
    app = door.handout.app
    for name in (b"", app.address.encode()):
        assert start(kind, app).begin("EXTERNAL", name)[0] == "OK"
    mark, text = start(kind, app).begin("EXTERNAL", door.account("PER").address.encode())
    assert mark == "NO"
    assert b"The DN of this certificate is registered for another mailbox" in text
    mark, text = start(kind, door.handout.operator).begin("EXTERNAL", b"")
    assert mark == "NO"
    assert b"is not registered for a mailbox" in text


@pytest.mark.req("BAL-4", "ACC-3")
@pytest.mark.parametrize("kind", DOORS)
def test_an_applicative_box_without_password_looks_like_a_wrong_login(
    door: Served, start: Start, kind: str
) -> None:
    """Nothing tells that such a mailbox exists."""
    response = f"\0{door.handout.app.address}\0whatever".encode()
    mark, text = start(kind).begin("PLAIN", response)
    assert (mark, WRONG in text) == ("NO", True)
    mark, text = scram(start(kind), ScramClient(door.handout.app.address, "whatever"))
    assert (mark, WRONG in text) == ("NO", True)


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("kind", DOORS)
def test_an_exchange_that_is_given_up_leaves_nothing(door: Served, start: Start, kind: str) -> None:
    """`*`, and what is no base64; the next exchange begins anew, whatever mechanism it takes."""
    account = door.account("PER")
    talk = start(kind)
    client = ScramClient(account.login, account.password)
    for bad in (b"*", b"###", b"Zm9v="):
        assert talk.begin("SCRAM-SHA-256", client.first())[0] == "+"
        assert talk.raw(bad)[0] == "NO"
    mark, first = talk.begin("SCRAM-SHA-256", client.first())
    assert (mark, talk.say(client.final(first))[0]) == ("+", "+")
    assert talk.raw(b"*")[0] == "NO"
    if isinstance(talk.wire, Imap):
        assert talk.wire.ending("SELECT INBOX").startswith(b"BAD")
    else:
        assert talk.wire.command(f"MAIL FROM:<{account.address}>").startswith("530")
    assert talk.begin("PLAIN", f"\0{account.login}\0{account.password}".encode())[0] == "OK"


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("kind", DOORS)
@pytest.mark.parametrize(
    ("mechanism", "initial", "sentence"),
    [
        ("PLAIN", b"no zeros", b"malformed"),
        ("PLAIN", b"\0a\0b\0c", b"malformed"),
        ("LOGIN", b"\xff\xfe", b"malformed"),
        ("SCRAM-SHA-256", b"n,,n=user", b"malformed"),
        ("SCRAM-SHA-256", b"n,,m=1,n=user,r=abc", b"extension that we do not know"),
        (PLUS, b"n,,n=user,r=abc", b""),
        ("EXTERNAL", b"", b""),
        ("CRAM-MD5", b"", b""),
        ("XOAUTH2", b"x", b""),
    ],
)
def test_bad_beginnings(start: Start, kind: str, mechanism: str, initial: bytes, sentence: bytes) -> None:
    """Each is refused in one answer, with its sentence; the connection goes on."""
    talk = start(kind)
    mark, text = talk.begin(mechanism, initial)
    assert mark == "NO"
    assert sentence in text
    assert talk.offered() == ALWAYS


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("kind", DOORS)
@pytest.mark.parametrize("initial", [True, False])
def test_lines_of_12288_octets_are_taken(start: Start, kind: str, initial: bool) -> None:
    """RFC 4954 section 4: room for a token of 8 kB; far more ends the connection."""
    talk = start(kind)
    room = 12288 - 2 - (len("AUTH PLAIN ") if initial else 0)
    response = b"x" * (room // 4 * 3)
    said = talk.begin("PLAIN", response if initial else None)
    if not initial:
        said = talk.say(response)
    assert said[0] == "NO"
    assert b"malformed" in said[1]
    assert len(b64encode(response)) > 12_200
    talk = start(kind)
    talk.begin("PLAIN")
    talk.wire.send(b"A" * 30_000 + b"\r\n")
    assert talk.wire.rest().startswith((b"500 5.5.6 Line too long", b"* BYE Line too long"))


@pytest.mark.req("ACC-3")
def test_both_doors_and_all_mechanisms_count_together(
    door: Served, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five wrong logins here and there, and the right one waits everywhere; ops lift it, and it is traced."""
    pairs = door.parts.login._accounts._locks._pairs
    monkeypatch.setattr(pairs, "options", replace(pairs.options, first=300.0))
    account = door.account("ORG")
    wrong = f"\0{account.login}\0wrong".encode()
    for kind, mechanism in [("smtp", "PLAIN"), ("imap", "PLAIN"), ("imap", "LOGIN"), ("smtp", "SCRAM")] * 2:
        talk = start(kind)
        if mechanism == "SCRAM":
            said = scram(talk, ScramClient(account.login, "wrong"))
        elif mechanism == "LOGIN":
            talk.begin("LOGIN", account.login.encode())
            said = talk.say(b"wrong")
        else:
            said = talk.begin("PLAIN", wrong)
        assert said[0] == "NO"
    right = f"\0{account.login}\0{account.password}".encode()
    for kind in DOORS:
        mark, text = start(kind).begin("PLAIN", right)
        assert (mark, b"Too many failed logins; wait a while" in text) == ("NO", True)
        mark, text = scram(start(kind), ScramClient(account.login, account.password))
        assert b"Too many failed logins; wait a while" in text
    operations = door.parts.operations
    shown = door.call(operations["login.locks"]({}))["locks"]
    assert any(row["login"] == account.login and row["wait_seconds"] > 0 for row in shown)
    door.call(operations["login.unlock"]({"who": account.login, "actor": "essai"}))
    for kind in DOORS:
        assert start(kind).begin("PLAIN", right)[0] == "OK"
    door.call(door.parts.notes.flush())
    lines = door.call(door.parts.store.trace(limit=100))
    assert any(line.event == "login-unlock" and line.actor == "essai" for line in lines)
    refused = [line for line in lines if line.event == "login-refused"]
    assert any(line.detail["login"] == account.login for line in refused)


@pytest.mark.req("ACC-3", "AUD-5")
@pytest.mark.parametrize("kind", DOORS)
def test_what_was_typed_as_login_is_not_traced(door: Served, start: Start, kind: str) -> None:
    """It may be a password in the wrong field."""
    typed = "mot-de-passe-au-mauvais-endroit"
    assert start(kind).begin("PLAIN", f"\0{typed}\0{typed}".encode())[0] == "NO"
    door.call(door.parts.notes.flush())
    lines = door.call(door.parts.store.trace(limit=20))
    assert typed not in repr(lines)
    assert any(line.event == "login-refused" and line.detail["login"] == "unknown" for line in lines)


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("kind", DOORS)
def test_without_scram_it_is_not_offered(special: Callable[..., Served], kind: str) -> None:
    """`[login] scram = false`: no such mechanism, and no keys are made."""

    def off(settings: Settings) -> Settings:
        return replace(settings, login=replace(settings.login, scram=ScramOptions(offered=False)))

    served = special(off)
    assert login_book(served.settings, b"k" * 32).passwords.vault is None
    talk = Talk(served.imap() if kind == "imap" else served.submission())
    assert talk.offered() == {"PLAIN", "LOGIN"}
    assert talk.begin("SCRAM-SHA-256", b"n,,n=user,r=abc")[0] == "NO"
    account = served.account("PER")
    person = served.call(served.parts.store.person(account.login))
    assert served.call(served.parts.store.login_keys(person.id)).startswith("65536$")
    given = {"login": account.login, "password": "un-nouveau-mot"}
    served.call(served.parts.operations["bal.passwd"](given))
    served.submission(replace(account, password="un-nouveau-mot")).close()
    assert served.call(served.parts.store.login_keys(person.id)) == ""
