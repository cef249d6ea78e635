"""The part of a header that a report gives back when there are many reports (RCP-1)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.mail.dsn import first_fields
from mss_gateway.mail.message import Header, split_message

LINE = st.sampled_from(
    [b"A: 1", b" suite", b"\tsuite", b"Message-ID: <a@b.example>", b"B:", b"X: " + b"x" * 50]
)


@pytest.mark.req("RCP-1")
@given(st.lists(LINE, max_size=20), st.integers(0, 400))
@settings(max_examples=300)
def test_only_whole_fields_are_kept(lines: list[bytes], limit: int) -> None:
    """What is kept is a beginning of the header, ends with the empty line, and holds no torn field."""
    header = b"\r\n".join([b"First: 1", *lines]) + b"\r\n\r\n"
    kept = first_fields(header, limit)
    assert len(kept) <= max(len(header) if len(header) <= limit else limit + 2, 2)
    assert split_message(kept) == len(kept)
    assert header.startswith(kept[:-2])
    rest = header[len(kept) - 2 :]
    assert rest[:1] not in (b" ", b"\t")
    whole = Header(header)
    for name in (b"a", b"x", b"message-id"):
        assert Header(kept).every(name) == whole.every(name)[: Header(kept).count(name)]


def test_one_field_larger_than_the_room_is_left_out() -> None:
    """Nothing is better than half an address list."""
    assert first_fields(b"To: " + b"a" * 5000 + b"\r\n\r\n", 100) == b"\r\n"
    assert first_fields(b"A: 1\r\nTo: " + b"a,\r\n " * 1000 + b"b\r\n\r\n", 100) == b"A: 1\r\n\r\n"
