"""The grammar on examples of RFC 9051, RFC 3501 and the extensions."""

from __future__ import annotations

import contextlib
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.base.secret import Secret
from mss_gateway.protocol.imap import Ending, commands
from mss_gateway.protocol.imap import searchkeys as k
from mss_gateway.protocol.imap.cursor import Cursor, Malformed
from mss_gateway.protocol.imap.fetchitems import (
    Attribute,
    BinarySection,
    BinarySize,
    BodySection,
    Partial,
    SectionText,
)
from mss_gateway.protocol.imap.grammar import parse
from mss_gateway.protocol.imap.sequence import STAR, SequenceSet


def read(line: bytes, *literals: bytes, utf8: bool = False) -> commands.Command:
    """Parse one command; `@` in the line stands for the next literal."""
    verb, _, _ = line.partition(b" ")
    cursor = Cursor(line.split(b"@") if literals else [line], literals, utf8=utf8)
    cursor.pos = len(verb)
    return parse(verb.decode("ascii"), cursor)


ONE = SequenceSet(((1, 1),))


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"SELECT inBOX", commands.Select("INBOX")),
        (b"SELECT inbox/sub", commands.Select("INBOX/sub")),
        (b"EXAMINE &U,BTFw- (CONDSTORE)", commands.Select("台北", True, True)),
        (
            b"SELECT x (QRESYNC (67890007 20050715194045000 41,43:211 (1:3 2:4)))",
            commands.Select(
                "x",
                False,
                True,
                commands.QResync(67890007, 20050715194045000, SequenceSet(((41, 41), (43, 211))), True),
            ),
        ),
        (b"CREATE owatagusiam/", commands.Create("owatagusiam")),
        (b"CREATE Mine (USE (\\sent))", commands.Create("Mine", "\\Sent")),
        (b"RENAME foo zowie", commands.Rename("foo", "zowie")),
        (b'LIST "" ""', commands.List("", ("",))),
        (b'LIST (SUBSCRIBED) "" "*"', commands.List("", ("*",), frozenset({"SUBSCRIBED"}), extended=True)),
        (
            b'LIST "" ("INBOX" "Drafts" "Sent/%") RETURN (CHILDREN STATUS (MESSAGES UNSEEN) SPECIAL-USE)',
            commands.List(
                "",
                ("INBOX", "Drafts", "Sent/%"),
                frozenset(),
                frozenset({"CHILDREN", "SPECIAL-USE"}),
                ("MESSAGES", "UNSEEN"),
                True,
            ),
        ),
        (b'LSUB "#news." "comp.*"', commands.Lsub("#news.", "comp.*")),
        (b"STATUS blurdybloop (UIDNEXT MESSAGES)", commands.Status("blurdybloop", ("UIDNEXT", "MESSAGES"))),
        (b"ENABLE CONDSTORE imap4rev2", commands.Enable(("CONDSTORE", "IMAP4REV2"))),
        (b"ID NIL", commands.Id({})),
        (b'ID ("name" "sodr" "vendor" NIL)', commands.Id({"name": "sodr"})),
        (b"AUTHENTICATE plain AGEAYg==", commands.Authenticate("PLAIN", b"\0a\0b")),
        (b"AUTHENTICATE EXTERNAL =", commands.Authenticate("EXTERNAL", b"")),
        (b'LOGIN SMITH "a\\"b\\\\c"', commands.Login("SMITH", Secret('a"b\\c'))),
        (b"UID EXPUNGE 3000:3002", commands.Expunge(SequenceSet(((3000, 3002),)))),
        (b"COPY 2:4 MEETING", commands.Copy(SequenceSet(((2, 4),)), "MEETING")),
        (b"UID MOVE $ foo", commands.Move(SequenceSet(saved=True), "foo", True)),
        (
            b"STORE 2:4 +FLAGS (\\DELETED $Junk)",
            commands.Store(SequenceSet(((2, 4),)), commands.StoreMode.ADD, frozenset({"\\Deleted", "$Junk"})),
        ),
        (
            b"UID STORE 1 (UNCHANGEDSINCE 12) -FLAGS.SILENT \\Seen foo",
            commands.Store(ONE, commands.StoreMode.REMOVE, frozenset({"\\Seen", "foo"}), True, True, 12),
        ),
        (b"STORE 1 FLAGS ()", commands.Store(ONE, commands.StoreMode.REPLACE, frozenset())),
    ],
)
def test_commands(line: bytes, command: commands.Command) -> None:
    """Each line gives exactly this command."""
    assert read(line) == command


def test_uid_esearch_is_esearch() -> None:
    """RFC 7377 writes it so in its examples, though its grammar has ESEARCH alone."""
    assert read(b'UID ESEARCH FROM "frobozz" 1:100') == read(b'ESEARCH FROM "frobozz" 1:100')


@pytest.mark.parametrize(
    ("text", "key", "returns"),
    [
        (
            b'FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"',
            k.And(
                (
                    k.HasFlag("\\Flagged"),
                    k.Arrived(k.DateTest.SINCE, date(1994, 2, 1)),
                    k.Not(k.HeaderHas("from", "Smith")),
                )
            ),
            None,
        ),
        (b"RETURN (MIN COUNT) DELETED", k.HasFlag("\\Deleted"), {"MIN", "COUNT"}),
        (b"RETURN () UNSEEN", k.Not(k.HasFlag("\\Seen")), {"ALL"}),
        (
            b"CHARSET UTF-8 OR 1,3:* (UID 5 KEYWORD x)",
            k.Or(
                k.InSequence(SequenceSet(((1, 1), (3, STAR)))),
                k.And((k.InUids(SequenceSet(((5, 5),))), k.HasFlag("x"))),
            ),
            None,
        ),
        (b'MODSEQ "/flags/\\\\draft" all 620162338', k.ModSeqFrom(620162338), None),
        (b'HEADER X-Thing ""', k.HeaderHas("x-thing", ""), None),
        (b'SENTON "3-mar-2020"', k.SentOn(k.DateTest.ON, date(2020, 3, 3)), None),
        (b"SMALLER 10", k.Smaller(10), None),
        (b"ALL", k.And(()), None),
    ],
)
def test_search(text: bytes, key: k.SearchKey, returns: set[str] | None) -> None:
    """Keys become the tree; RETURN makes the search extended."""
    command = read(b"SEARCH " + text)
    assert command == commands.Search(key, False, frozenset(returns or ()), returns is not None)


def test_search_text_in_a_literal() -> None:
    """RFC 3501's example: Cyrillic in a literal."""
    command = read(b"UID SEARCH CHARSET UTF-8 TEXT @", "мама".encode())
    assert command == commands.Search(k.TextHas("мама"), True)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        (
            b"FULL",
            (*(Attribute.FLAGS, Attribute.INTERNALDATE, Attribute.SIZE), Attribute.ENVELOPE, Attribute.BODY),
        ),
        (b"(FLAGS FLAGS uid)", (Attribute.FLAGS, Attribute.UID)),
        (b"BODY[]", (BodySection(b"BODY[]"),)),
        (b"rfc822.header", (BodySection(b"RFC822.HEADER", text=SectionText.HEADER, peek=True),)),
        (
            b'BODY.PEEK[HEADER.FIELDS (Date "FROM")]',
            (
                BodySection(
                    b"BODY[HEADER.FIELDS (Date FROM)]",
                    (),
                    SectionText.HEADER_FIELDS,
                    ("date", "from"),
                    None,
                    True,
                ),
            ),
        ),
        (
            b"(BODY[4.2.MIME]<10.20> BINARY.PEEK[1]<0.5> BINARY.SIZE[2])",
            (
                BodySection(b"BODY[4.2.MIME]<10>", (4, 2), SectionText.MIME, (), Partial(10, 20)),
                BinarySection(b"BINARY[1]<0>", (1,), Partial(0, 5), True),
                BinarySize(b"BINARY.SIZE[2]", (2,)),
            ),
        ),
        (b"BODY[1.2]", (BodySection(b"BODY[1.2]", (1, 2)),)),
    ],
)
def test_fetch(text: bytes, items: tuple[object, ...]) -> None:
    """Items, their labels and their order; doubles are asked once."""
    assert read(b"FETCH 1 " + text) == commands.Fetch(ONE, items)  # type: ignore[arg-type]


def test_uid_fetch_always_asks_for_the_uid() -> None:
    """RFC 9051 section 6.4.9."""
    command = read(b"UID FETCH 1 (FLAGS) (CHANGEDSINCE 7 VANISHED)")
    assert command == commands.Fetch(ONE, (Attribute.UID, Attribute.FLAGS), True, 7, True)


@pytest.mark.parametrize(
    "line",
    [
        *(b"SELECT", b"SELECT ", b"SELECT a b", b"SELECT (x", b"SELECT &Jjo!", b"SELECT \xc3\xa9"),
        *(
            b'SELECT "\xc3\xa9"',
            b'SELECT "abc',
            b"SELECT &AAo-",
            b"FETCH 0 FLAGS",
            b"FETCH 1 BODY[MIME]",
            b"FETCH 1 BODY[0]",
        ),
        *(
            b"FETCH 1 BODY[1.]",
            b"FETCH 1 BODY[]<0.0>",
            b"FETCH 1 ()",
            b"FETCH 1 (FAST)",
            b"FETCH 4294967296 UID",
        ),
        *(b"FETCH 1 BODY[HEADER.FIELDS ()]", b'FETCH 1 BODY[HEADER.FIELDS ("a\\"]b: c")]', b"FETCH , UID"),
        *(
            b"STORE 1 FLAGS \\Recent",
            b"STORE 1 FLAGS (a",
            b"SEARCH",
            b"SEARCH (ALL",
            b"SEARCH NOT",
            b"SEARCH FOO",
        ),
        *(b"SEARCH ON 31-Feb-2020", b"SEARCH OR ALL", b"SEARCH LARGER 99999999999999999999", b"ID (a)"),
        *(
            b'LIST (RECURSIVEMATCH) "" *',
            b'LIST "" % RETURN (FOO)',
            b"STATUS a ()",
            b"STATUS a (X)",
            b"NOOP x",
        ),
        *(b"AUTHENTICATE PLAIN !!", b"AUTHENTICATE PLAIN ", b"UID NOOP", b"UID FETCH", b"LOGIN a", b"ENABLE"),
    ],
)
def test_what_breaks_the_grammar_is_malformed(line: bytes) -> None:
    """And answered BAD."""
    with pytest.raises(Malformed) as caught:
        read(line)
    assert caught.value.ending is Ending.BAD


def test_refusals_that_are_no() -> None:
    """A charset we lack, names we do not want, a search beyond its bounds."""
    for line, code in [
        (b"CREATE a//b", b"CANNOT"),
        (b"SELECT " + b"a" * 500, b"LIMIT"),
        (b'LIST "" ' + b"%a" * 30, b"LIMIT"),
        (b"CREATE a (USE (\\Nothing))", b"USEATTR"),
        (b"FETCH 1 (" + b" ".join(b"BODY[%d]" % n for n in range(1, 200)) + b")", b"LIMIT"),
    ]:
        with pytest.raises(Malformed) as caught:
            read(line)
        assert (caught.value.ending, caught.value.code) == (Ending.NO, code)


def test_utf8_names_once_enabled() -> None:
    """RFC 6855: then `&` is a plain character."""
    assert read('SELECT "Envoyés & co"'.encode(), utf8=True) == commands.Select("Envoyés & co")
    with pytest.raises(Malformed):
        read(b'SELECT "\xff"', utf8=True)


def test_passwords_do_not_show() -> None:
    """AUD-5: no repr shows a credential."""
    assert "wonder" not in repr(read(b"LOGIN alice wonder"))
    assert "wonder" not in repr(read(b"AUTHENTICATE PLAIN AGEAd29uZGVy"))


@settings(max_examples=400)
@given(
    st.sampled_from([b"SELECT", b"LIST", b"SEARCH", b"FETCH", b"STORE", b"UID", b"ID", b"STATUS", b"LOGIN"]),
    st.lists(
        st.sampled_from(
            [
                b" ",
                b"(",
                b")",
                b'"',
                b"\\",
                b"1:*",
                b"BODY[",
                b"]",
                b"<0.1>",
                b"FLAGS",
                b"RETURN",
                b"OR",
                b"NOT",
                b"UID",
                b"@",
                b"NIL",
                b"&",
                b"-",
                b"*",
                b"%",
                b"HEADER.FIELDS",
                b"CONDSTORE",
                b"1-Jan-2020",
                b"\xff",
            ]
        ),
        max_size=14,
    ),
)
def test_only_malformed_escapes(verb: bytes, words: list[bytes]) -> None:
    """Whatever the tokens, the grammar answers with a command or with Malformed."""
    line = b"%b %b" % (verb, b"".join(words))
    with contextlib.suppress(Malformed):
        assert read(line, *[b"lit"] * line.count(b"@")) is not None
