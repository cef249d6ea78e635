"""SCRAM-SHA-256 and -PLUS, the server's half (RFC 5802, RFC 7677), and SASLprep (RFC 4013)."""

from base64 import b64decode, b64encode
from hashlib import pbkdf2_hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.base.errors import Refuse
from mss_gateway.protocol.sasl import MALFORMED
from mss_gateway.protocol.saslprep import saslprep
from mss_gateway.protocol.scram import (
    DOWNGRADED,
    EXTENSION,
    MAX_MESSAGE,
    NOT_BOUND,
    UNBOUND,
    Dialogue,
    First,
    derive,
    read_first,
    refused_binding,
)
from tests.support.scram import ScramClient

pytestmark = pytest.mark.req("ACC-2")

SALT = b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
CLIENT_FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
SERVER_NONCE = b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
CLIENT_FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
KEYS = derive(pbkdf2_hmac("sha256", b"pencil", SALT, 4096))


def first_of(data: bytes) -> First:
    """A first message that must be good."""
    first = read_first(data)
    assert isinstance(first, First), first
    return first


def dialogue(data: bytes = CLIENT_FIRST, binding: bytes = b"") -> Dialogue:
    """The server after a first message."""
    return Dialogue(first_of(data), KEYS, SALT, 4096, SERVER_NONCE, binding)


def test_the_example_of_rfc_7677() -> None:
    """Section 3, octet by octet."""
    server = dialogue()
    assert server.server_first() == SERVER_FIRST
    assert server.server_final(CLIENT_FINAL) == SERVER_FINAL


def test_a_wrong_proof_is_none() -> None:
    """One bit is enough."""
    wrong = CLIENT_FINAL.replace(b"p=d", b"p=e")
    assert dialogue().server_final(wrong) is None


@pytest.mark.parametrize(
    "final",
    [
        b"",
        b"c=biws",
        CLIENT_FINAL.replace(b"c=biws", b"c="),
        CLIENT_FINAL.replace(b"c=biws", b"c=*"),
        CLIENT_FINAL.replace(b"r=r", b"r=s"),
        CLIENT_FINAL.replace(SERVER_NONCE, b""),
        CLIENT_FINAL[:-4] + b"====",
        CLIENT_FINAL[:-44],
        CLIENT_FINAL + b",x=1",
        CLIENT_FINAL.replace(b",r=", b",x=1,r="),
        b"c=biws," * 2000 + CLIENT_FINAL,
    ],
)
def test_malformed_final_messages(final: bytes) -> None:
    """Refused, never taken; a channel binding that is not there is no proof either."""
    assert dialogue().server_final(final) in (MALFORMED, NOT_BOUND)


def test_extensions_of_the_final_message_are_signed_and_skipped() -> None:
    """RFC 5802 section 7: they stand before the proof."""
    client = ScramClient("user", "pencil")
    server = dialogue(client.first())
    final = client.final(server.server_first())
    assert server.server_final(final.replace(b",p=", b",x=1,p=")) is None
    client.verify(server.server_final(final) or b"")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "login", "acting_as"),
    [
        (b"n,,n=user,r=abc", "user", ""),
        (b"y,a=other,n=user,r=abc", "user", "other"),
        (b"n,a=x=2Cy=3Dz,n=a=3Db=2Cc,r=abc,ext=1", "a=b,c", "x,y=z"),
        ("n,,n=m\u00e9decin@exemple.fr,r=abc".encode(), "m\u00e9decin@exemple.fr", ""),
        ("n,,n=I\u00adX,r=abc".encode(), "IX", ""),
        ("n,,n=\u2168,r=abc".encode(), "IX", ""),
    ],
)
def test_first_messages(data: bytes, login: str, acting_as: str) -> None:
    """Names are unescaped and prepared."""
    first = first_of(data)
    assert (first.login, first.acting_as) == (login, acting_as)
    assert first.header + first.bare == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"n,,",
        b"n,,n=user",
        b"n,,r=abc,n=user",
        b"x,,n=user,r=abc",
        b"p,,n=user,r=abc",
        b"p=,,n=user,r=abc",
        b"n,b=x,n=user,r=abc",
        b"n,,n=,r=abc",
        b"n,,n=a=2cb,r=abc",
        b"n,,n=a=,r=abc",
        b"n,,n=\xff,r=abc",
        b"n,,n=a\0b,r=abc",
        b"n,,n=user,r=",
        b"n,,n=user,r=a\x7fb",
        "n,,n=user,r=é".encode(),
        "n,,n=\u0627a,r=abc".encode(),
        b"n,,n=user,r=" + b"x" * MAX_MESSAGE,
        b"n,,n=" + b"x" * 1024 + b",r=abc",
    ],
)
def test_malformed_first_messages(data: bytes) -> None:
    """One refusal for all of them."""
    assert read_first(data) is MALFORMED


def test_a_mandatory_extension_is_refused() -> None:
    """RFC 5802 section 5.1."""
    assert read_first(b"n,,m=1,n=user,r=abc") is EXTENSION


@pytest.mark.parametrize(
    ("flag", "plus", "offered", "expected"),
    [
        (b"n", False, True, None),
        (b"y", False, False, None),
        (b"y", False, True, DOWNGRADED),
        (b"p=tls-unique", False, True, MALFORMED),
        (b"p=tls-server-end-point", True, True, None),
        (b"p=tls-exporter", True, True, UNBOUND),
        (b"n", True, True, UNBOUND),
        (b"y", True, True, UNBOUND),
    ],
)
def test_channel_binding_flags(flag: bytes, plus: bool, offered: bool, expected: Refuse | None) -> None:
    """RFC 5802 section 6: a downgrade is seen, and -PLUS is never taken unbound."""
    first = first_of(flag + b",,n=user,r=abc")
    bindings = {"tls-server-end-point": b"x"}
    assert refused_binding(first, plus=plus, offered=offered, bindings=bindings) is expected


def test_a_bound_login_is_good_for_its_channel_only() -> None:
    """Somebody in between has another certificate."""
    header = b"p=tls-server-end-point,,"
    client = ScramClient("user", "pencil", header=header, binding=b"ours")
    assert dialogue(client.first(), b"theirs").server_final(client.final(greeted(client))) is NOT_BOUND
    server = dialogue(client.first(), b"ours")
    client.verify(server.server_final(client.final(server.server_first())) or b"")  # type: ignore[arg-type]


def greeted(client: ScramClient) -> bytes:
    """What the server says to this client."""
    return dialogue(client.first()).server_first()


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_nothing_raises(head: bytes, tail: bytes) -> None:
    """Any octets are read or refused, whole or spliced into good ones."""
    for data in (head, b"n,,n=" + head + b",r=" + tail, head + CLIENT_FIRST, CLIENT_FIRST + tail):
        assert isinstance(read_first(data), First | Refuse)
    for data in (head, CLIENT_FINAL[: len(head)] + tail, b"c=" + head + CLIENT_FINAL[6:]):
        outcome = dialogue().server_final(data)
        assert outcome is None or isinstance(outcome, Refuse) or data == CLIENT_FINAL


@given(st.text(max_size=30))
def test_any_password_that_saslprep_takes_proves_itself(password: str) -> None:
    """Client and server prepare it the same way; preparing twice changes nothing."""
    prepared = saslprep(password)
    if prepared is None:
        return
    assert saslprep(prepared) in (prepared, None)
    salted = pbkdf2_hmac("sha256", prepared.encode("utf-8", "surrogatepass"), SALT, 1)
    keys = derive(salted)
    assert keys.stored != keys.server


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("\u0007", None),
        ("\u06271", None),
        ("a\u00a0b", "a b"),
        ("a\ud800", None),
        ("", ""),
    ],
)
def test_saslprep_examples(text: str, prepared: str | None) -> None:
    """RFC 4013 section 3, and spaces of every kind."""
    assert saslprep(text) == prepared


def test_keys_never_show_the_password() -> None:
    """The server's first message holds salt and iterations, nothing else of it."""
    assert b64encode(KEYS.stored) not in dialogue().server_first()
