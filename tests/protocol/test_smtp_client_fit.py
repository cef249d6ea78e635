"""What a server's EHLO allows, and what follows when it does not (RFC 1870, 3461, 6152, 6531)."""

from __future__ import annotations

import pytest

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import BodyType, Notify, Recipient
from mss_gateway.protocol.smtp import Capabilities, Fit, Reply, Unfit, Wish, fit
from mss_gateway.protocol.smtp.client_replies import read_capabilities
from mss_gateway.protocol.smtp.envelope import write_mail, write_rcpt
from tests.support.smtp_client import SENDER, A, B

ACCENT = Recipient(parse_address("rené@x.fr"))
REPORTED = Recipient(A.address, frozenset({Notify.SUCCESS}), "rfc822;a@x.fr")
UNICODE_ORIGIN = Recipient(A.address, frozenset(), "utf-8;rené@x.fr")
BASIC = Capabilities(frozenset({"8BITMIME"}))
ALL = Capabilities(frozenset({"8BITMIME", "SMTPUTF8", "DSN", "SIZE", "CHUNKING", "BINARYMIME"}), 1000)


def chosen(wish: Wish, capabilities: Capabilities) -> Fit:
    """The transaction, when there must be one."""
    found = fit(wish, capabilities)
    assert isinstance(found, Fit)
    return found


def test_everything_offered_is_used() -> None:
    """SIZE, BODY, SMTPUTF8, RET, ENVID and NOTIFY."""
    found = chosen(Wish(SENDER, (REPORTED, ACCENT), 12, "HDRS", "id", True), ALL)
    assert write_mail(found.mail) == (
        b"MAIL FROM:<moi@ici.fr> SIZE=12 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=id\r\n"
    )
    assert write_rcpt(found.recipients[0]) == b"RCPT TO:<a@x.fr> NOTIFY=SUCCESS ORCPT=rfc822;a@x.fr\r\n"
    assert found.chunking


@pytest.mark.req("RCP-1")
def test_dsn_parameters_go_only_to_whom_promised_dsn() -> None:
    """RFC 3461 section 5.2.2: a server that does not know them would refuse the mail."""
    found = chosen(Wish(SENDER, (REPORTED,), 12, "FULL", "id"), BASIC)
    assert write_mail(found.mail) == b"MAIL FROM:<moi@ici.fr> BODY=8BITMIME\r\n"
    assert write_rcpt(found.recipients[0]) == b"RCPT TO:<a@x.fr>\r\n"


def test_a_null_sender_is_written_empty() -> None:
    """Reports have no return path (RCP-6)."""
    assert write_mail(chosen(Wish(None, (A,), 1), BASIC).mail).startswith(b"MAIL FROM:<> ")


def test_a_recipient_outside_ascii_fails_alone() -> None:
    """The others still get the message."""
    found = chosen(Wish(SENDER, (ACCENT, A, B), 12), BASIC)
    assert found.places == (1, 2)
    assert (found.unfit.status, found.unfit.reason) == ("5.6.7", "peer-needs-smtputf8")


@pytest.mark.parametrize(
    ("wish", "capabilities", "status", "reason"),
    [
        (Wish(ACCENT.address, (A,), 12), BASIC, "5.6.7", "peer-needs-smtputf8"),
        (Wish(SENDER, (ACCENT,), 12), BASIC, "5.6.7", "peer-needs-smtputf8"),
        (Wish(SENDER, (A,), 1001), ALL, "5.3.4", "too-large-for-peer"),
        (Wish(SENDER, (A,), 12, eight_bit=True), Capabilities(), "5.6.3", "peer-needs-8bitmime"),
        (Wish(SENDER, (A,), 12, binary=True), BASIC, "5.6.1", "bare-line-end"),
    ],
)
def test_what_can_never_be_taken(wish: Wish, capabilities: Capabilities, status: str, reason: str) -> None:
    """A permanent outcome with its status, without a word on the wire."""
    found = fit(wish, capabilities)
    assert isinstance(found, Unfit)
    assert (found.status, found.reason) == (status, reason)


def test_seven_bits_need_no_extension() -> None:
    """Plain ASCII passes everywhere."""
    assert chosen(Wish(SENDER, (A,), 12, eight_bit=False), Capabilities()).mail.body is BodyType.SEVEN_BIT


def test_smtputf8_is_asked_for_when_the_header_or_the_orcpt_needs_it() -> None:
    """RFC 6531 section 3.4, RFC 6533 section 3; an ORCPT that cannot be written is left out."""
    assert chosen(Wish(SENDER, (A,), 12, utf8_header=True), ALL).mail.smtputf8
    assert chosen(Wish(SENDER, (UNICODE_ORIGIN,), 12), ALL).mail.smtputf8
    assert not chosen(Wish(SENDER, (A,), 12), ALL).mail.smtputf8
    found = chosen(Wish(SENDER, (UNICODE_ORIGIN,), 12), Capabilities(frozenset({"8BITMIME", "DSN"})))
    assert found.recipients[0].orcpt is None


@pytest.mark.parametrize(
    ("line", "size"),
    [("SIZE 1000", 1000), ("size 10", 10), ("SIZE 0", None), ("SIZE", None), ("SIZE x", None), ("SIZE -1", None),
     ("SIZE " + "9" * 30, None)],
)  # fmt: skip
def test_the_size_offered(line: str, size: int | None) -> None:
    """Zero means no limit (RFC 1870 section 4); what is malformed limits nothing."""
    found = read_capabilities(Reply(250, None, f"mx.test hello\n{line}\ndsn\n\n8BITMIME"))
    assert found.max_size == size
    assert found.keywords == {"SIZE", "DSN", "8BITMIME"}
