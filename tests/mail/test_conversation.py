"""Which messages a message answers (RFC 5322 section 3.6.4)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.mail.conversation import MAX_ANCESTORS, id_number, references_of
from mss_gateway.mail.facts import read_message_id
from mss_gateway.mail.message import Header

DIGEST = bytes(range(32))


def references(block: bytes) -> tuple[int, ...]:
    """As at delivery."""
    header = Header(block)
    identity = header.first(b"message-id")
    return references_of(header, read_message_id(identity) if identity else None, DIGEST)


A, B, C, D = (id_number(b"<%b@x>" % letter) for letter in (b"a", b"b", b"c", b"d"))


def test_the_nearest_comes_first_and_the_root_last() -> None:
    """Own id, then In-Reply-To, then References from the end."""
    assert references(
        b"Message-ID: <d@x>\r\nIn-Reply-To: <c@x>\r\nReferences: <a@x>\r\n <b@x> <c@x>\r\n\r\n"
    ) == (D, C, B, A)


def test_one_of_the_two_fields_is_enough() -> None:
    """Either alone; a phrase in In-Reply-To is passed over."""
    assert references(b"Message-ID: <d@x>\r\nIn-Reply-To: your mail of <c@x>\r\n\r\n") == (D, C)
    assert references(b"Message-ID: <d@x>\r\nReferences: <a@x> <b@x>\r\n\r\n") == (D, B, A)


def test_a_message_that_answers_nothing_names_itself() -> None:
    """By its id, or by its digest; fields without an id count for nothing."""
    assert references(b"Message-ID: <d@x>\r\n\r\n") == (D,)
    assert references(b"Message-ID: <d@x>\r\nReferences: none\r\nIn-Reply-To: you\r\n\r\n") == (D,)
    assert references(b"Subject: a\r\n\r\n") == (int.from_bytes(DIGEST[:8], "big", signed=True),)


def test_ids_with_blanks_inside_are_the_same() -> None:
    """Deployed software folds inside of an id."""
    assert references(b"Message-ID: <d@x>\r\nReferences: <a\r\n @x>\r\n\r\n") == (D, A)


def test_a_message_does_not_answer_itself() -> None:
    """Its own id among its references is told once, in front."""
    assert references(b"Message-ID: <d@x>\r\nReferences: <a@x> <d@x>\r\n\r\n") == (D, A)


def test_long_chains_keep_their_root() -> None:
    """However many ids, so many numbers; the first of the conversation is among them."""
    chain = b"".join(b" <%d@x>\r\n" % number for number in range(3000))
    found = references(b"Message-ID: <d@x>\r\nReferences:" + chain + b"\r\n")
    assert len(found) <= MAX_ANCESTORS + 1
    assert found[1] == id_number(b"<2999@x>")
    assert found[-1] == id_number(b"<0@x>")


@given(st.binary(max_size=300))
def test_any_field_is_read(value: bytes) -> None:
    """No octets raise; every number fits into the store."""
    found = references(b"References: " + value + b"\r\nIn-Reply-To: " + value + b"\r\n\r\n")
    assert all(-(2**63) <= number < 2**63 for number in found)
