"""APPEND with several messages, CATENATE, REPLACE and COMPRESS in the pure core (RFC 3502, 4469, 8508, 4978)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mss_gateway.base.errors import ProtocolViolation
from mss_gateway.protocol.imap import (
    NEED_DATA,
    AppendChunk,
    AppendEnd,
    AppendMessage,
    AppendUrl,
    Ending,
    ImapOptions,
    ImapServer,
    Request,
    commands,
)
from mss_gateway.protocol.imap.grammar_append import MAX_URL
from mss_gateway.protocol.imap.sequence import STAR
from tests.support.imap import drive, logged_in

PLAIN = AppendMessage(frozenset())


@pytest.mark.req("IMP-1")
def test_two_messages_of_one_command() -> None:
    """RFC 3502 section 6: flags for one, date for the other, a go-ahead for each literal."""
    log = drive(
        logged_in(),
        [
            b"a APPEND saved (\\Seen) {5}\r\n",
            b'first "17-Jul-1996 02:44:25 -0700" {6}\r\n',
            b"second\r\nb NOOP\r\n",
        ],
    )
    assert log.commands[0] == commands.Append("saved")
    assert log.heads == [AppendMessage(frozenset({"\\Seen"})), AppendMessage(frozenset(), 837596665.0)]
    assert log.messages == [b"first", b"second"]
    assert log.out == b"+ OK\r\n+ OK\r\na OK done\r\nb OK done\r\n"


@pytest.mark.req("IMP-1")
def test_an_empty_message_ends_the_whole_command() -> None:
    """RFC 3502 section 3: a client gives up with an empty literal; nothing of it is stored."""
    log = drive(logged_in(), [b"a APPEND x {3+}\r\none {0+}\r\n\r\nb NOOP\r\n"])
    assert log.notes == ["AppendAbandoned"]
    assert log.out == b"a NO An empty message cannot be stored\r\nb OK done\r\n"


@pytest.mark.req("IMP-1")
def test_catenate_of_texts_and_urls() -> None:
    """RFC 4469's example: a header, a boundary, a part of another message, the end."""
    log = drive(
        logged_in(),
        [
            b'a APPEND Drafts (\\Seen \\Draft) CATENATE (URL "/Drafts;UIDVALIDITY=3/;UID=20/;section=HEADER" '
            b"TEXT {4+}\r\n\r\n--",
            b" URL /Drafts/;UID=20 URL {3+}\r\n/;x TEXT {0+}\r\n URL z)\r\n",
        ],
    )
    assert log.heads == [AppendMessage(frozenset({"\\Seen", "\\Draft"}))]
    assert log.messages == [b"</Drafts;UIDVALIDITY=3/;UID=20/;section=HEADER>\r\n--</Drafts/;UID=20></;x><z>"]
    assert log.out == b"a OK done\r\n"


@pytest.mark.req("IMP-1")
def test_catenate_and_literals_mix_in_one_command() -> None:
    """RFC 4469 section 5: each message of a MULTIAPPEND has its own form; one of URLs alone needs no literal."""
    log = drive(
        logged_in(),
        [
            b"a APPEND {1+}\r\nx CATENATE (URL u URL v) (\\Seen) CATENATE (TEXT {1+}\r\nt) {2+}\r\nmm"
            b" UTF8 (~{2+}\r\nnn) CATENATE (UTF8 (~{1+}\r\no) URL w)\r\nb NOOP\r\n"
        ],
    )
    assert log.messages == [b"<u><v>", b"t", b"mm", b"nn", b"o<w>"]
    assert log.heads[1] == AppendMessage(frozenset({"\\Seen"}))
    assert log.heads[3] == AppendMessage(frozenset(), None, True)
    assert log.out == b"a OK done\r\nb OK done\r\n"


@pytest.mark.parametrize(
    ("line", "number", "uid"),
    [
        (b"a REPLACE 4 Drafts (\\Seen) {1+}\r\nA\r\n", 4, False),
        (b"a REPLACE * Drafts (\\Seen) {1+}\r\nA\r\n", STAR, False),
        (b"a UID replace 2000 {6+}\r\nDrafts (\\Seen) {1+}\r\nA\r\n", 2000, True),
        (b"a uid REPLACE 2000 Drafts (\\Seen) CATENATE (TEXT {1+}\r\nA)\r\n", 2000, True),
    ],
)
@pytest.mark.req("IMP-1")
def test_replace(line: bytes, number: int, uid: bool) -> None:
    """By number, by UID, the last one; the message as APPEND takes it."""
    log = drive(logged_in(), [line])
    assert log.commands == [commands.Replace(number, "Drafts", uid)]
    assert log.heads == [AppendMessage(frozenset({"\\Seen"}))]
    assert log.messages == [b"A"]


@pytest.mark.parametrize(
    "line",
    [
        b"REPLACE 0 x {3+}\r\nfoo\r\n",
        b"REPLACE 1:2 x {3+}\r\nfoo\r\n",
        b"REPLACE 4294967297 x {3+}\r\nfoo\r\n",
        b"REPLACE 1 x {3+}\r\nfoo {3+}\r\nfoo\r\n",
        b"REPLACE 1 x\r\n",
        b"UID REPLACE x {3+}\r\nfoo\r\n",
        b"APPEND x\r\n",
        b"APPEND x (\\Seen)\r\n",
        b'APPEND x "foo"\r\n',
        b"APPEND x {3+}\r\nfoo \r\n",
        b"APPEND x {3+}\r\nfoo)\r\n",
        b"APPEND x UTF8 ({3+}\r\nfoo)\r\n",
        b"APPEND x UTF8 (~{3+}\r\nfoo\r\n",
        b"APPEND x CATENATE ()\r\n",
        b"APPEND x CATENATE (URL)\r\n",
        b"APPEND x CATENATE (URL a\r\n",
        b"APPEND x CATENATE (URL a )\r\n",
        b"APPEND x CATENATE (FOO a)\r\n",
        b'APPEND x CATENATE (TEXT "a")\r\n',
        b"APPEND x CATENATE (TEXT {3+}\r\nfoo\r\n",
        b"APPEND x CATENATE (TEXT {3+}\r\nfoo) x\r\n",
        b"APPEND x CATENATE (URL ~{3+}\r\nfoo)\r\n",
        b"APPEND x CATENATE (URL a) {3+}\r\nfoo CATENATE\r\n",
    ],
)
def test_what_is_malformed_is_answered_once_and_the_next_command_is_read(line: bytes) -> None:
    """BAD or NO for the whole command, whatever came before the fault."""
    log = drive(logged_in(), [b"a " + line + b"b NOOP\r\n"])
    assert log.tags[-1] == b"b"
    assert log.out.count(b"\r\n") == 2
    assert log.out.startswith((b"a BAD ", b"a NO "))
    assert "AppendEnd" not in log.notes


def test_replace_needs_a_mailbox_in_hand() -> None:
    """REPLACE is a command of the selected state, APPEND is not."""
    log = drive(
        logged_in(selected=False),
        [b"a REPLACE 1 x {3+}\r\nfoo\r\nb UID REPLACE 1 x {3}\r\nc APPEND x {3+}\r\nfoo\r\n"],
    )
    assert log.out.startswith(b"a BAD Not allowed when authenticated\r\nb BAD Not allowed")
    assert log.tags == [b"c"]


def test_limits_of_one_command() -> None:
    """Messages, octets, parts and the length of a URL are bounded; the answer comes before the go-ahead."""
    options = ImapOptions(max_append=10, append_messages=2, append_total=15, append_parts=3)
    cases = {
        b"a APPEND x {1+}\r\n1 {1+}\r\n2 {1}\r\n": b"a NO [LIMIT] Too many messages at once\r\n",
        b"a APPEND x {9+}\r\n123456789 {7}\r\n": b"a NO [TOOBIG] Too much at once\r\n",
        b"a APPEND x CATENATE (TEXT {9+}\r\n123456789 TEXT {2}\r\n": b"a NO [TOOBIG] Message too large\r\n",
        b"a APPEND x CATENATE (URL a URL b URL c URL d)\r\n": b"a NO [LIMIT] Too many parts\r\n",
        b"a APPEND x CATENATE (URL {%d}\r\n" % (MAX_URL + 1): b"a NO [LIMIT] URL too long\r\n",
        b'a APPEND x CATENATE (URL "%b")\r\n' % (b"x" * (MAX_URL + 1)): b"a NO [LIMIT] URL too long\r\n",
    }
    for line, answer in cases.items():
        log = drive(logged_in(options), [line, b"b NOOP\r\n"])
        assert log.out == answer + b"b OK done\r\n"


def test_the_door_may_refuse_at_any_event() -> None:
    """What comes of the command after a refusal is dropped: the rest of a literal, later literals, the line."""
    data = b"a APPEND x CATENATE (URL u TEXT {9+}\r\nz NOOP\r\n- URL v) {8+}\r\ny NOOP\r\n\r\nb NOOP\r\n"
    for stop in range(5):
        core = logged_in()
        core.receive_data(data)
        event = core.next_event()
        for _ in range(stop):
            if isinstance(event, Request):
                core.accept_literal()
            event = core.next_event()
        before = core.appending
        core.refuse_literal(Ending.NO, "no", b'BADURL "u"')
        assert (before, core.appending) == (True, False)
        assert core.next_event() == Request(b"b", commands.Noop())
        assert core.data_to_send() == b'a NO [BADURL "u"] no\r\n'


def test_a_refused_url_spares_the_literal_behind_it() -> None:
    """A client that waits never sends what a bad URL has made useless."""
    core = logged_in()
    core.receive_data(b"a APPEND x CATENATE (URL u TEXT {900}\r\n")
    core.next_event()
    core.accept_literal()
    assert core.next_event() == PLAIN
    assert core.next_event() == AppendUrl(b"u")
    core.refuse_literal(Ending.NO, "no")
    core.receive_data(b"b NOOP\r\n")
    assert core.next_event() == Request(b"b", commands.Noop())
    assert core.data_to_send() == b"a NO no\r\n"


def test_tagged_is_no_answer_while_messages_may_come() -> None:
    """The literal that follows would be read as commands."""
    core = logged_in()
    core.receive_data(b"a APPEND x {3+}\r\nfoo\r\n")
    core.next_event()
    with pytest.raises(RuntimeError):
        core.tagged(Ending.NO, "no")
    core.accept_literal()
    assert [core.next_event() for _ in range(3)] == [PLAIN, AppendChunk(b"foo"), AppendEnd()]
    with pytest.raises(RuntimeError):
        core.refuse_literal(Ending.NO, "no")
    core.tagged(Ending.OK, "done")
    assert core.next_event() is NEED_DATA


def test_refusals_of_the_door_count_as_bad_commands() -> None:
    """The last one ends the connection at the next event, not inside of the door's own call."""
    core = logged_in(ImapOptions(bad_commands=1))
    core.receive_data(b"a REPLACE 1 x {3}\r\n")
    core.next_event()
    core.refuse_literal(Ending.BAD, "no such number")
    with pytest.raises(ProtocolViolation):
        core.next_event()
    assert core.data_to_send() == b"a BAD no such number\r\n* BYE Too many bad commands\r\n"


def test_compress_and_its_capability() -> None:
    """Announced after login until it is on; only once, only DEFLATE; what follows belongs to the compressed stream."""
    core = ImapServer(tls=True)
    assert b"COMPRESS" not in core.capabilities()
    core = logged_in()
    assert b" COMPRESS=DEFLATE" in core.capabilities()
    core.receive_data(b"a COMPRESS LZW\r\nb COMPRESS\r\nc COMPRESS deflate\r\n\x4b\x4c")
    assert core.next_event() == Request(b"c", commands.Compress())
    assert core.data_to_send() == b"a NO [CANNOT] Only DEFLATE is known\r\nb BAD Missing argument\r\n"
    core.tagged(Ending.OK, "on")
    assert core.take_rest() == b"\x4b\x4c"
    assert b"COMPRESS" not in core.capabilities()
    core.receive_data(b"d COMPRESS DEFLATE\r\n")
    assert core.next_event() is NEED_DATA
    assert core.data_to_send().endswith(b"d NO [COMPRESSIONACTIVE] Compression is already on\r\n")


def test_compress_only_after_login() -> None:
    """Nothing is inflated for strangers."""
    log = drive(ImapServer(tls=True), [b"a COMPRESS DEFLATE\r\n"])
    assert log.out == b"a BAD Not allowed when not authenticated\r\n"


def test_one_kind_of_literal_is_announced() -> None:
    """LITERAL- before login, LITERAL+ after it, never both (RFC 7888 section 5)."""
    before = ImapServer(tls=True).capabilities().split()
    after = logged_in().capabilities().split()
    assert (b"LITERAL-" in before, b"LITERAL+" in before) == (True, False)
    assert (b"LITERAL-" in after, b"LITERAL+" in after) == (False, True)


WORDS = st.sampled_from(
    [
        b"a APPEND x",
        b"a APPEND {1+}\r\nx",
        b"a REPLACE 1 x",
        b"a UID REPLACE * x",
        b" (\\Seen)",
        b" CATENATE (",
        b" CATENATE (TEXT {3+}\r\nabc",
        b"URL u",
        b" URL {2+}\r\nuu",
        b" URL {2}\r\n",
        b" TEXT {2+}\r\n\r\n",
        b" TEXT {0+}\r\n",
        b")",
        b" ",
        b" {3+}\r\nabc",
        b" {4}\r\n",
        b" ~{2+}\r\nab",
        b" UTF8 (~{2+}\r\nab)",
        b"\r\n",
        b"\r\n",
        b"z NOOP\r\n",
        b"COMPRESS DEFLATE\r\n",
        b"{200+}\r\n",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(WORDS, max_size=25).map(b"".join), st.lists(st.integers(0, 10_000), max_size=6), st.booleans()
)
@example(b"a APPEND x CATENATE (TEXT {3+}\r\nabc URL u URL {2+}\r\nuu)\r\n", [30], True)
def test_any_way_of_cutting_gives_the_same_events(data: bytes, points: list[int], accept: bool) -> None:
    """The contract of a core, for commands that carry messages: cuts, refusals, and only ProtocolViolation."""
    options = ImapOptions(max_append=100, append_messages=3, append_parts=4, append_total=150, line=300)
    edges = [0, *sorted(point % (len(data) + 1) for point in points), len(data)]
    cut = [data[left:right] for left, right in itertools.pairwise(edges)]
    whole = drive(logged_in(options), [data], accept=accept)
    assert whole == drive(logged_in(options), cut, accept=accept)
    single = drive(logged_in(options), [data[at : at + 1] for at in range(len(data))], accept=accept)
    assert whole == single
    assert single.most_held <= 300 + 256 + 2


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=200).map(lambda noise: b"evil LOGOUT\r\n" + noise + b"\r\nevil LOGOUT\r\n"),
    st.sampled_from(
        [
            b"APPEND x {1+}\r\nA {%d+}\r\n%b\r\n",
            b"APPEND x CATENATE (TEXT {%d+}\r\n%b)\r\n",
            b"APPEND x CATENATE (URL {%d+}\r\n%b)\r\n",
            b"APPEND x CATENATE (FOO {%d+}\r\n%b)\r\n",
            b"REPLACE 1 x {%d+}\r\n%b\r\n",
            b"REPLACE nothing x {%d+}\r\n%b\r\n",
            b"UID REPLACE 1 {%d+}\r\n%b\r\n",
            b"COMPRESS {%d+}\r\n%b\r\n",
        ]
    ),
    st.booleans(),
)
def test_literal_data_is_never_a_command(data: bytes, form: bytes, accept: bool) -> None:
    """Accepted, refused or malformed, the octets of a message, a text or a URL are not read as commands."""
    log = drive(logged_in(), [b"a " + form % (len(data), data) + b"z NOOP\r\n"], accept=accept)
    assert b"evil" not in log.tags
    assert log.tags[-1] == b"z"
