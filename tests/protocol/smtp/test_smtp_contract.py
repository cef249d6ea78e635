"""The four contracts of both protocol cores, on the SMTP server (architecture.md)."""

from __future__ import annotations

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import BodyType, Notify, Recipient
from mss_gateway.protocol.smtp import DataStart, MailFrom, RcptTo, Reply
from mss_gateway.protocol.smtp.envelope import read_mail, read_rcpt, write_mail, write_rcpt
from tests.support.smtp_dialog import LOGIN, OPEN, Run, cut, refusing, run

WORDS = [
    b"EHLO c.test\r\n", b"HELO c\r\n", b"MAIL FROM:<a@b.fr>\r\n", b"RCPT TO:<c@d.fr>\r\n", b"DATA\r\n",
    b"MAIL FROM:<a@b.fr> BODY=BINARYMIME\r\n", b".\r\n", b"..x\r\n", b"text\r\n", b"BDAT 5\r\n", b"hello",
    b"BDAT 4 LAST\r\n", b"a\r\nb", b"a\rbc", b"BDAT 0 LAST\r\n", b"RSET\r\n", b"QUIT\r\n", b"NOOP\r\n",
    b"VRFY x\r\n", b"AUTH PLAIN\r\n", b"AUTH PLAIN AGEAYg==\r\n", b"AGEAYg==\r\n", b"*\r\n", b"\r", b"\n",
    b"\0", b"\xff\xfe", b" ", b"<", b">", b'"', b"\\", b"SIZE=", b"MAIL FROM:<", b"RCPT TO:<\xc3\xa9@b.fr>\r\n",
    b"BDAT x\r\n", b"STARTTLS\r\n", b"A" * 5000, b"ORCPT=rfc822;a+2Bb", b"\r\n", b"\r\n.\r\n", b"\r\n.",
]  # fmt: skip
BYTES = st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=6)), max_size=25).map(b"".join)
TALK = BYTES.map(lambda tail: b"EHLO c.test\r\nMAIL FROM:<a@b.fr>\r\nRCPT TO:<c@d.fr>\r\n" + tail)
CUTS = st.lists(st.integers(min_value=0, max_value=20_000), max_size=12)
CONFIGS = st.sampled_from(
    [OPEN, LOGIN, dataclasses.replace(OPEN, max_size=8), dataclasses.replace(OPEN, require_tls=True)]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(BYTES, TALK), CUTS, CONFIGS)
def test_any_cutting_gives_the_same_events(data: bytes, places: list[int], config) -> None:  # type: ignore[no-untyped-def]
    """Contract 1, and 3 on the way: only ProtocolViolation escapes; 2: the buffer stays small."""
    whole = run(data, config)
    pieces = Run(config).feed(*cut(data, places)).end()
    if "starttls-injection" in (whole.violation, pieces.violation):
        return
    assert pieces.outcome() == whole.outcome()
    assert max(whole.largest_buffer, pieces.largest_buffer) <= config.limits.auth


@settings(max_examples=100, deadline=None)
@given(TALK)
def test_octet_by_octet_gives_the_same_events(data: bytes) -> None:
    """Contract 1 at its worst; before login no more than one command line is kept."""
    single = Run().feed(*(data[at : at + 1] for at in range(len(data)))).end()
    if single.violation != "starttls-injection":
        assert single.outcome() == run(data).outcome()
    assert single.largest_buffer <= OPEN.limits.command


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.booleans(), st.sampled_from([8, 100_000]))
def test_chunk_octets_are_never_commands(content: bytes, refused: bool, max_size: int) -> None:
    """Contract 4 with BDAT: accepted, refused by the skin or oversized, only QUIT is read after."""
    config = dataclasses.replace(OPEN, max_size=max_size)
    head = b"EHLO c.test\r\nMAIL FROM:<a@b.fr>\r\nRCPT TO:<c@d.fr>\r\n"
    data = head + b"BDAT %d LAST\r\n" % len(content) + content + b"QUIT\r\n"
    no = refusing(DataStart, Reply(451, "4.3.0", "Later"))
    outcome = run(data, config, no) if refused else run(data, config)
    assert outcome.violation is None
    assert outcome.codes[-1] == "221 2.0.0"
    assert len(outcome.codes) == 11 + 2 + 1 + 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=40).filter(lambda line: not set(line) & set(b"\r\n")), max_size=20))
def test_data_lines_are_never_commands(lines: list[bytes]) -> None:
    """Contract 4 with DATA: any lines, stuffed, come back whole or refused, and only QUIT is read."""
    content = b"".join(line + b"\r\n" for line in lines)
    stuffed = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)
    head = b"EHLO c.test\r\nMAIL FROM:<a@b.fr>\r\nRCPT TO:<c@d.fr>\r\nDATA\r\n"
    outcome = run(head + stuffed + b".\r\nQUIT\r\n")
    assert outcome.codes[-1] == "221 2.0.0"
    assert outcome.codes[-2] == ("550 5.6.0" if b"\0" in content else "250 2.0.0")
    if content and b"\0" not in content:
        assert content in outcome.events


ADDRESS = st.sampled_from(["a@b.fr", "Jean.D'Or@x.mssante.fr", '"a> b"@c.fr', "é@b.fr", '"q\\"\\\\"@c.fr'])
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30)
NOTIFY = st.sampled_from([(), ("NEVER",), ("SUCCESS", "FAILURE"), ("DELAY",)])


@settings(max_examples=150, deadline=None)
@given(
    st.none() | ADDRESS, st.sampled_from(BodyType), st.none() | st.integers(0, 10**12), st.none() | PRINTABLE
)
def test_mail_written_reads_back(
    sender: str | None, body: BodyType, size: int | None, envid: str | None
) -> None:
    """Contract 3: encode then decode is the identity on MAIL."""
    mail = MailFrom(parse_address(sender) if sender else None, body, True, size, "HDRS", envid, "<>")
    assert read_mail(write_mail(mail).rstrip(b"\r\n").removeprefix(b"MAIL ")) == mail


@settings(max_examples=150, deadline=None)
@given(ADDRESS, NOTIFY, st.none() | PRINTABLE, st.sampled_from(["rfc822", "utf-8", "x-400"]))
def test_rcpt_written_reads_back(address: str, notify: tuple[str, ...], orcpt: str | None, kind: str) -> None:
    """Contract 3: encode then decode is the identity on RCPT."""
    asked = frozenset(Notify(word) for word in notify)
    recipient = Recipient(parse_address(address), asked, f"{kind};{orcpt}" if orcpt else None)
    line = write_rcpt(recipient).rstrip(b"\r\n").removeprefix(b"RCPT ")
    assert read_rcpt(line, smtputf8=True, postmaster=None) == RcptTo(recipient)
