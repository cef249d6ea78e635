"""Facts of a header: the exact subject, addresses, report kinds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import Address
from mss_gateway.mail.facts import message_facts


def _subject(line: bytes) -> str:
    return message_facts(b"From: a@b.fr\r\n" + line + b"\r\nTo: c@d.fr\r\n\r\n").subject


@pytest.mark.req("CHN-3")
@pytest.mark.parametrize(
    "line",
    [
        b"Subject: [FIN]",
        b"Subject:[FIN]",
        b"SUBJECT: [FIN]",
        b"Subject:\r\n [FIN]",
        b"Subject: \r\n [FIN]",
        b"Subject: =?utf-8?q?=5BFIN=5D?=",
        b"Subject: =?UTF-8?B?W0ZJTl0=?=",
        b"Subject: =?utf-8?q?=5BF?=\r\n =?iso-8859-1?q?IN=5D?=",
        b"Subject: =?utf-8*fr?q?=5BFIN=5D?=",
    ],
)
def test_subjects_that_are_the_end_mark(line: bytes) -> None:
    """The five characters are found through folding and encoding."""
    assert _subject(line) == "[FIN]"


@pytest.mark.req("CHN-3")
@pytest.mark.parametrize(
    "line",
    [
        b"Subject: Re: [FIN]",
        b"Subject: [fin]",
        b"Subject: [FIN] .",
        b"Subject: [FIN] ",
        b"Subject:  [FIN]",
        b"Subject: [FIN]\r\n ",
        b"Subject: [F\r\n IN]",
        b"Subject: =?utf-8?q?=5BFIN=5D_?=",
        b"Subject: =?nope?q?=5BFIN=5D?=",
        b"X-Subject: [FIN]",
        b"Subject : \t[FIN]",
    ],
)
def test_subjects_that_are_not_the_end_mark(line: bytes) -> None:
    """Anything before or after the mark keeps it from being one."""
    assert _subject(line) != "[FIN]"


def test_all_fields_are_read() -> None:
    """One header with everything gives every fact."""
    facts = message_facts(
        b"Received: x\r\nReceived: y\r\nFrom: Dr A <A@B.fr>\r\nSender: s@b.fr\r\nReply-To: r@b.fr, t@b.fr\r\n"
        b"X-MSS-MES:  FIN \r\nMessage-ID: <1 23@b.fr >\r\nAuto-Submitted: auto-replied (x)\r\n"
        b"Content-Type: multipart/report;\r\n\treport-type=delivery-status; boundary=x\r\n"
        b"Disposition-Notification-To: Me <me@b.fr>\r\n\r\n"
    )
    assert facts.from_ == (Address("A", "b.fr"),)
    assert facts.from_valid
    assert facts.sender == Address("s", "b.fr")
    assert facts.reply_to == (Address("r", "b.fr"), Address("t", "b.fr"))
    assert facts.mss_mes == "FIN"
    assert facts.message_id == "<123@b.fr>"
    assert facts.received_count == 2
    assert facts.auto_submitted
    assert facts.report == "delivery-status"
    assert facts.disposition_to == "me@b.fr"


@pytest.mark.req("BAL-6")
@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"From: a@b.fr\r\nFrom: c@d.fr\r\n",
        b"From: \r\n",
        b"From: x@\r\n",
        b"From: a@b.fr, broken\r\n",
        b"From: g:;\r\n",
    ],
)
def test_from_that_is_absent_repeated_or_malformed(header: bytes) -> None:
    """A From that does not plainly name its author is marked."""
    assert not message_facts(header + b"\r\n").from_valid


@pytest.mark.req("BAL-6")
def test_one_malformed_reply_to_spoils_all() -> None:
    """A Reply-To of which one address cannot be read gives no address at all, yet counts as present."""
    facts = message_facts(b"From: a@b.fr\r\nReply-To: good@b.fr, bad@@evil.example\r\n\r\n")
    assert facts.reply_to_present
    assert facts.reply_to == ()


def test_auto_submitted_no_is_a_person() -> None:
    """`Auto-Submitted: no` is what a person's mail may carry (RFC 3834 section 5)."""
    assert not message_facts(b"Auto-Submitted: no\r\n\r\n").auto_submitted


def test_a_header_over_the_cap_is_refused() -> None:
    """Half a megabyte of header is not mail."""
    with pytest.raises(InvalidValue):
        message_facts(b"X: " + b"a" * 600_000)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"From", b"Subject", b"Reply-To", b"Content-Type", b"Message-ID", b"x"]),
            st.binary(max_size=60),
        )
    )
)
def test_any_field_values_are_read(fields: list[tuple[bytes, bytes]]) -> None:
    """Arbitrary octets in the fields that matter never raise."""
    message_facts(b"".join(name + b":" + value + b"\r\n" for name, value in fields))
