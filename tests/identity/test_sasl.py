"""Reading the responses of PLAIN and EXTERNAL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.base.errors import Refuse
from mss_gateway.base.secret import Secret
from mss_gateway.protocol.sasl import MALFORMED, MAX_FIELD, PlainCredentials, parse_external, parse_plain

FIELD = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@given(FIELD, FIELD.filter(bool), FIELD)
def test_plain_gives_back_what_was_sent(acting_as: str, login: str, password: str) -> None:
    """Three fields between two zeros (RFC 4616)."""
    read = parse_plain("\0".join((acting_as, login, password)).encode())
    assert read == PlainCredentials(acting_as, login, Secret(password))


@given(st.binary(max_size=60))
def test_plain_never_raises(data: bytes) -> None:
    """Any octets are credentials or malformed."""
    assert isinstance(parse_plain(data), PlainCredentials | Refuse)
    assert isinstance(parse_external(data), str | Refuse)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"login",
        b"\0login",
        b"\0\0password",
        b"a\0b\0c\0d",
        b"\0\xff\0x",
        b"\0l\0" + b"x" * (MAX_FIELD + 1),
    ],
)
def test_plain_refuses(data: bytes) -> None:
    """Too few fields, too many, no login, no UTF-8, too long."""
    assert parse_plain(data) is MALFORMED


def test_plain_takes_long_fields() -> None:
    """RFC 4616 asks for 255 octets at least."""
    assert isinstance(parse_plain(b"\0" + b"l" * 255 + b"\0" + b"p" * 255), PlainCredentials)


def test_external_is_empty_or_names_a_box() -> None:
    """RFC 4422 appendix A."""
    assert parse_external(b"") == ""
    assert parse_external(b"automate@exemple.fr") == "automate@exemple.fr"
    assert parse_external(b"a\0b") is MALFORMED
    assert parse_external(b"\xff") is MALFORMED
    assert parse_external(b"x" * (MAX_FIELD + 1)) is MALFORMED


@pytest.mark.req("AUD-5")
def test_credentials_do_not_show_the_password() -> None:
    """Neither in repr nor in a format."""
    read = parse_plain(b"\0login\0mot-de-passe-secret")
    assert "mot-de-passe-secret" not in f"{read!r} {read}"
