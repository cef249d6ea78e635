"""Client responses of OAUTHBEARER and XOAUTH2: what clients send, and what nobody should."""

from __future__ import annotations

from base64 import b64decode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mss_gateway.base.errors import Refuse
from mss_gateway.protocol.sasl_oauth import (
    MALFORMED,
    MAX_TOKEN,
    OAUTHBEARER,
    TOKEN_MECHANISMS,
    TOO_LONG,
    XOAUTH2,
    TokenCredentials,
    parse_oauthbearer,
    parse_token,
    parse_xoauth2,
)

TOKEN = "vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg=="


def read(mechanism: str, data: bytes) -> tuple[str, str, str, int]:
    """Login, token, host, port of a response that is well formed."""
    found = parse_token(mechanism, data)
    assert isinstance(found, TokenCredentials)
    return found.login, found.token.reveal(), found.host, found.port


@pytest.mark.req("ACC-2")
def test_the_examples_of_rfc_7628_section_4() -> None:
    """Section 4.1 for IMAP, with host and port; section 4.3 asks with an empty token where tokens are given."""
    sent = b64decode(
        "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52"
        "YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2c9PQEB"
    )
    assert read(OAUTHBEARER, sent) == ("user@example.com", TOKEN, "server.example.com", 143)
    asking = b64decode("bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9AQE=")
    assert read(OAUTHBEARER, asking) == ("user@example.com", "", "server.example.com", 143)


@pytest.mark.req("ACC-2")
def test_what_clients_send_as_xoauth2() -> None:
    """The form of the providers that invented it."""
    sent = b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01"
    assert read(XOAUTH2, sent)[:2] == (
        "someuser@example.com",
        "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg",
    )
    assert read(XOAUTH2, "user=médecin\x01auth=bearer abc\x01\x01".encode())[:2] == ("médecin", "abc")


@pytest.mark.parametrize(
    ("sent", "login"),
    [
        (b"n,,\x01auth=Bearer abc\x01\x01", ""),
        (b"y,,\x01auth=Bearer abc\x01\x01", ""),
        (b"n,a=a=2Cb=3Dc,\x01auth=Bearer abc\x01\x01", "a,b=c"),
        (b"n,a=x,\x01AUTH=BEARER abc\x01\x01", "x"),
        (b"n,a=x,\x01auth=Bearer abc\x01mthd=POST\x01path=/\x01\x01", "x"),
    ],
)
def test_what_the_grammar_of_oauthbearer_allows(sent: bytes, login: str) -> None:
    """GS2 header with or without an identity; keys and the scheme in any case; keys nobody knows."""
    assert read(OAUTHBEARER, sent)[:2] == (login, "abc")


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x01",
        b"n,,",
        b"n,,\x01",
        b"n,,\x01\x01",
        b"n,,\x01auth=Bearer abc\x01",
        b"n,,\x01auth=Bearer abc",
        b"n,,\x01\x01auth=Bearer abc\x01\x01",
        b"n,,\x01auth=Bearer abc\x01\x01\x01",
        b"n,,\x01auth=Bearer abc\x01auth=Bearer abd\x01\x01",
        b"n,,\x01auth=Basic abc\x01\x01",
        b"n,,\x01auth=Bearer\x01\x01",
        b"n,,\x01auth=Bearer a b\x01\x01",
        b"n,,\x01auth=Bearer a\x00b\x01\x01",
        b"n,,\x01auth=Bearer \xc3\xa9\x01\x01",
        b"n,,\x01 auth=Bearer abc\x01\x01",
        b"n,,\x01auth\x01\x01",
        b"n,,\x01port=0\x01auth=Bearer abc\x01\x01",
        b"n,,\x01port=99999\x01auth=Bearer abc\x01\x01",
        b"n,,\x01port=-1\x01auth=Bearer abc\x01\x01",
        b"n,a=,\x01auth=Bearer abc\x01\x01",
        b"n,a=x=2cy,\x01auth=Bearer abc\x01\x01",
        b"n,a=\xff,\x01auth=Bearer abc\x01\x01",
        b"n,a=a\nb,\x01auth=Bearer abc\x01\x01",
        b"n,b=x,\x01auth=Bearer abc\x01\x01",
        b"n,a=x,y,\x01auth=Bearer abc\x01\x01",
        b"p=tls-unique,,\x01auth=Bearer abc\x01\x01",
        b"x,,\x01auth=Bearer abc\x01\x01",
        b"n,a=" + b"x" * 1025 + b",\x01auth=Bearer abc\x01\x01",
        b"n,,\x01" + b"".join(b"k%c=v\x01" % (97 + n) for n in range(20)) + b"auth=Bearer abc\x01\x01",
        b"user=x\x01auth=Bearer abc\x01\x01",
    ],
)
def test_what_no_client_should_send(sent: bytes) -> None:
    """Refused as malformed, whatever else is right with it."""
    assert parse_oauthbearer(sent) == MALFORMED


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"user=",
        b"user=x",
        b"user=x\x01",
        b"user=x\x01\x01",
        b"auth=Bearer abc\x01\x01",
        b"USER=x\x01auth=Bearer abc\x01\x01",
        b"user=x\x01auth=Bearer abc\x01",
        b"user=x\x01auth=Bearer abc\x01user=y",
        b"user=a\x00b\x01auth=Bearer abc\x01\x01",
        b"n,,\x01auth=Bearer abc\x01\x01",
    ],
)
def test_what_is_no_xoauth2(sent: bytes) -> None:
    """Refused as malformed."""
    assert parse_xoauth2(sent) == MALFORMED


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("mechanism", TOKEN_MECHANISMS)
def test_tokens_of_16_kib_and_no_longer(mechanism: str) -> None:
    """Those of Pro Santé Connect have several thousand octets."""
    start = b"n,a=x,\x01auth=Bearer " if mechanism == OAUTHBEARER else b"user=x\x01auth=Bearer "
    assert len(read(mechanism, start + b"t" * MAX_TOKEN + b"\x01\x01")[1]) == MAX_TOKEN
    for over in (MAX_TOKEN + 1, 10 * MAX_TOKEN):
        assert parse_token(mechanism, start + b"t" * over + b"\x01\x01") == TOO_LONG


@settings(max_examples=300)
@given(st.sampled_from(TOKEN_MECHANISMS), st.binary(max_size=200))
@example(OAUTHBEARER, b"n,a==,\x01auth=Bearer a\x01\x01")
def test_no_octets_do_anything_but_parse_or_be_refused(mechanism: str, data: bytes) -> None:
    """Nothing is raised, and what was read is what stands there."""
    for sent in (
        data,
        b"n,," + data,
        b"n,,\x01auth=Bearer " + data + b"\x01\x01",
        b"user=" + data + b"\x01\x01",
    ):
        found = parse_token(mechanism, sent)
        assert isinstance(found, Refuse) or found.token.reveal().encode() in sent


@settings(max_examples=100)
@given(st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=40))
def test_a_login_survives_the_escapes_of_a_saslname(login: str) -> None:
    """Whatever the login: `=2C` and `=3D` stand for what they escape."""
    if not login.isprintable():
        return
    coded = login.replace("=", "=3D").replace(",", "=2C").encode()
    assert read(OAUTHBEARER, b"n,a=" + coded + b",\x01auth=Bearer abc\x01\x01")[0] == login


def test_no_repr_shows_a_token() -> None:
    """A traceback or a log line cannot leak it."""
    found = parse_xoauth2(b"user=x\x01auth=Bearer geheim\x01\x01")
    assert "geheim" not in repr(found)
