"""What clients put into mailboxes, over real sockets: several messages at once, CATENATE, REPLACE, UTF-8, NULs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from mss_gateway.ports.store import StoreError
from tests.support.doors import Served
from tests.support.memory import MIB, little_memory
from tests.support.wires import Imap, literal

_names = itertools.count(1)
HEAD = b"From: a@x.example\r\nSubject: one\r\nMIME-Version: 1.0\r\n"
TEXT = HEAD + b"\r\nhello\r\n"
MIXED = (
    HEAD
    + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nfirst part\r\n'
    + b"--b\r\nContent-Type: text/x-long\r\n\r\n"
    + b"long line\r\n" * 40_000
    + b"--b--\r\n"
)


@pytest.fixture
def box(door: Served) -> Imap:
    """A session of the sample professional with nothing selected."""
    return door.imap(door.account("PER"))


def fresh(imap: Imap) -> str:
    """A new mailbox."""
    name = f"append-{next(_names)}"
    imap.ok(f"CREATE {name}")
    return name


def plus(data: bytes) -> bytes:
    """A literal that does not wait."""
    return b"{%d+}\r\n%b" % (len(data), data)


def bodies(imap: Imap, name: str) -> list[bytes]:
    """All messages of a mailbox."""
    imap.ok(f"SELECT {name}")
    return [literal(line) for line in imap.ok("UID FETCH 1:* BODY.PEEK[]") if b"BODY[]" in line]


def uid_of(tagged: bytes) -> tuple[int, bytes]:
    """UIDVALIDITY and the set of UIDs of an APPENDUID code."""
    found = re.search(rb"\[APPENDUID (\d+) ([\d:,]+)\]", tagged)
    assert found, tagged
    return int(found[1]), found[2]


@pytest.mark.req("IMP-1")
def test_several_messages_are_one_transaction(door: Served, box: Imap) -> None:
    """RFC 3502: one APPENDUID with a set; another session sees all of them at once."""
    name = fresh(box)
    watcher = door.imap(door.account("PER"), select=name)
    tag = watcher.begin("IDLE")
    assert watcher.response() == b"+ idling"
    large = TEXT + b"x" * 400_000 + b"\r\n"
    command = f"APPEND {name} (\\Seen) ".encode() + plus(TEXT) + b' (\\Flagged) "17-Jul-1996 02:44:25 -0700" '
    tagged = box.ending(command + plus(large) + b" " + plus(TEXT))
    assert uid_of(tagged)[1] == b"1:3"
    assert watcher.response() == b"* 3 EXISTS"
    watcher.send(b"DONE\r\n")
    watcher.until(tag)
    assert bodies(box, name) == [TEXT, large, TEXT]
    lines = box.ok("FETCH 1:3 (FLAGS INTERNALDATE)")
    assert b"\\Seen" in lines[0]
    assert b"\\Flagged" in lines[1]
    assert b'"17-Jul-1996 09:44:25 +0000"' in lines[1]
    assert door.spooled == []


@pytest.mark.req("IMP-1")
@pytest.mark.parametrize(
    ("tail", "answer"),
    [
        (b" {0+}\r\n", b"NO"),
        (b" x", b"BAD"),
        (b" {99999999}", b"NO [TOOBIG]"),
        (b" CATENATE (URL /nowhere/;UID=1)", b"NO [BADURL "),
    ],
)
def test_all_or_nothing(door: Served, box: Imap, tail: bytes, answer: bytes) -> None:
    """A fault in the last message leaves nothing of the ones before it, nor a spool file."""
    name = fresh(box)
    command = f"APPEND {name} ".encode() + plus(TEXT + b"x" * 400_000) + b" " + plus(TEXT) + tail
    assert box.ending(command).startswith(answer)
    assert bodies(box, name) == []
    assert door.spooled == []


def test_a_store_that_fails_keeps_nothing(
    special: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    """UNAVAILABLE once the messages have come, and at the start without taking them for commands."""
    served = special()
    wire = served.imap(served.account("PER"))

    async def broken(*_: object) -> list[int]:
        raise StoreError("gone")

    monkeypatch.setattr(served.parts.store, "append", broken)
    assert wire.append("INBOX", TEXT).startswith(b"NO [UNAVAILABLE]")
    monkeypatch.setattr(served.parts.store, "folders", broken)
    assert wire.append("INBOX", b"x NOOP\r\n" * 10).startswith(b"NO [UNAVAILABLE]")
    assert wire.quiet()
    assert served.spooled == []


@pytest.mark.req("IMP-1")
def test_catenate_is_byte_exact(box: Imap) -> None:
    """RFC 4469: texts, whole messages, sections, stretches; of a part larger than one read of the store."""
    source, target = fresh(box), fresh(box)
    validity, uid = uid_of(box.append(source, MIXED))
    whole = b"/%b;UIDVALIDITY=%d/;UID=%b" % (source.encode(), validity, uid)
    parts = [
        (b"TEXT " + plus(HEAD + b"\r\n"), HEAD + b"\r\n"),
        (b'URL "' + whole + b'"', MIXED),
        (b"URL " + plus(whole + b"/;SECTION=1"), b"first part"),
        (b'URL "' + whole + b'/;SECTION=2"', (b"long line\r\n" * 40_000)[:-2]),
        (b'URL "' + whole + b'/;SECTION=1.MIME"', b"Content-Type: text/plain\r\n\r\n"),
        (b'URL "' + whole + b'/;SECTION=HEADER.FIELDS%20(Subject)"', b"Subject: one\r\n\r\n"),
        (b'URL "' + whole + b'/;SECTION=TEXT/;PARTIAL=3.10"', MIXED.partition(b"\r\n\r\n")[2][3:13]),
        (b'URL "' + whole + b'/;PARTIAL=400000"', MIXED[400_000:]),
        (b"TEXT " + plus(b""), b""),
    ]
    command = f"APPEND {target} (\\Draft) CATENATE (".encode() + b" ".join(text for text, _ in parts) + b")"
    assert box.ending(command).startswith(b"OK [APPENDUID ")
    assert bodies(box, target) == [b"".join(data for _, data in parts)]


@pytest.mark.req("IMP-1")
def test_catenate_relative_to_the_mailbox_in_hand_and_several_at_once(box: Imap) -> None:
    """A URL without a mailbox; CATENATE within MULTIAPPEND."""
    source, target = fresh(box), fresh(box)
    box.append(source, TEXT)
    command = f"APPEND {target} CATENATE (URL ;UID=1) ".encode()
    assert box.ending(command + plus(TEXT)).startswith(b"NO [BADURL ")
    box.ok(f"SELECT {source}")
    assert uid_of(box.ending(command + plus(b"Subject: 2\r\n\r\n") + b" CATENATE (URL /;UID=1)"))[1] == b"1:3"
    assert bodies(box, target) == [TEXT, b"Subject: 2\r\n\r\n", TEXT]


@pytest.mark.parametrize(
    "url",
    [
        "/{0};UIDVALIDITY=1/;UID=1",
        "/{0}/;UID=9",
        "/{0}/;UID=1/;SECTION=7",
        "/nowhere/;UID=1",
        "/Shared/nobody@x.example/INBOX/;UID=1",
        "imap://other.example/{0}/;UID=1",
        "/{0}/;UID=1/;SECTION=1;URLAUTH=anonymous:internal:91354a473744909de610943775f92038",
    ],
)
@pytest.mark.req("IMP-1")
def test_bad_urls_are_named(box: Imap, url: str) -> None:
    """NO [BADURL "..."] at once: a literal behind it is not asked for."""
    name = fresh(box)
    box.append(name, TEXT)
    tagged = box.ending(f'APPEND {name} CATENATE (URL "{url.format(name)}" TEXT {{900}}')
    assert tagged.startswith(f'NO [BADURL "{url.format(name)}"] '.encode())
    assert len(bodies(box, name)) == 1


def test_catenate_is_bounded(special: Callable[..., Served]) -> None:
    """A small command cannot make a message over the limit; TOOBIG tells so (RFC 4469 section 4.2)."""
    served = special(lambda settings: replace(settings, imaps=replace(settings.imaps, max_append=1_000_000)))
    wire = served.imap(served.account("PER"))
    wire.append("Drafts", TEXT + b"x" * 300_000)
    url = " URL /Drafts/;UID=1"
    assert wire.ending(f"APPEND Trash CATENATE ({(url * 4)[1:]})").startswith(b"NO [TOOBIG]")
    assert wire.ending(f"APPEND Trash CATENATE ({(url * 3)[1:]})").startswith(b"OK")
    assert served.spooled == []


@pytest.mark.req("IMP-1")
def test_replace_tells_in_order(door: Served, box: Imap) -> None:
    """RFC 8508 section 3.3: APPENDUID in an untagged OK, then the EXPUNGE and EXISTS, then OK."""
    name = fresh(box)
    for _ in range(3):
        box.append(name, TEXT)
    box.ok(f"SELECT {name}")
    watcher = door.imap(door.account("PER"), select=name)
    new = TEXT + b"again\r\n"
    untagged, tagged = box.run(f"REPLACE 2 {name} (\\Seen) ".encode() + plus(new))
    assert untagged[0].startswith(b"* OK [APPENDUID ")
    assert uid_of(untagged[0])[1] == b"4"
    assert untagged[1:] == [b"* 2 EXPUNGE", b"* 3 EXISTS"]
    assert tagged.startswith(b"OK ")
    assert watcher.ok("NOOP")[:2] == [b"* 2 EXPUNGE", b"* 3 EXISTS"]
    assert bodies(box, name) == [TEXT, TEXT, new]
    assert b"\\Seen" in box.ok("UID FETCH 4 FLAGS")[0]


@pytest.mark.req("IMP-1")
def test_uid_replace_into_another_mailbox(box: Imap) -> None:
    """The old one goes here, the new one comes there; made of the old one by CATENATE."""
    drafts, sent = fresh(box), fresh(box)
    box.append(drafts, TEXT)
    box.ok(f"SELECT {drafts}")
    untagged, tagged = box.run(f"UID REPLACE 1 {sent} CATENATE (URL ;UID=1 TEXT {{5+}}\r\nmore\n)".encode())
    assert untagged[0].startswith(b"* OK [APPENDUID ")
    assert untagged[1:] == [b"* 1 EXPUNGE"]
    assert tagged.startswith(b"OK")
    assert bodies(box, drafts) == []
    assert bodies(box, sent) == [TEXT + b"more\n"]


@pytest.mark.req("IMP-1")
def test_replace_under_qresync(box: Imap) -> None:
    """VANISHED instead of EXPUNGE, HIGHESTMODSEQ at the end (RFC 7162 section 3.2.7)."""
    name = fresh(box)
    box.append(name, TEXT)
    box.ok("ENABLE QRESYNC")
    box.ok(f"SELECT {name}")
    untagged, tagged = box.run(f"UID REPLACE * {name} ".encode() + plus(TEXT))
    assert b"* VANISHED 1" in untagged
    assert tagged.startswith(b"OK [HIGHESTMODSEQ ")
    assert [b"UID 2" in line for line in box.ok("FETCH 1 (UID)")] == [True]


@pytest.mark.req("IMP-1")
def test_replace_that_cannot_be(door: Served, box: Imap) -> None:
    """No such number, UID or mailbox, EXAMINE, two messages; the old message stays."""
    name = fresh(box)
    box.append(name, TEXT)
    box.ok(f"SELECT {name}")
    assert box.ending(f"REPLACE 2 {name} ".encode() + plus(TEXT)).startswith(b"BAD")
    assert box.ending(f"UID REPLACE 7 {name} ".encode() + plus(TEXT)).startswith(b"NO")
    assert box.ending(b"REPLACE 1 nowhere " + plus(TEXT)).startswith(b"NO [TRYCREATE]")
    assert box.ending(f"REPLACE 1 {name} ".encode() + plus(TEXT) + b" " + plus(TEXT)).startswith(b"BAD")
    box.ok(f"EXAMINE {name}")
    assert box.ending(f"REPLACE 1 {name} ".encode() + plus(TEXT)).startswith(b"NO [READ-ONLY]")
    assert bodies(box, name) == [TEXT]
    other = door.imap(door.account("PER"), select=name)
    tag = box.begin(f"REPLACE 1 {name} {{{len(TEXT)}}}")
    assert box.response().startswith(b"+")
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    other.ok("EXPUNGE")
    box.send(TEXT + b"\r\n")
    assert box.until(tag)[1].startswith(b"NO [EXPUNGEISSUED]")
    assert bodies(box, name) == []


@pytest.mark.req("IMP-1")
def test_eight_bit_headers_are_kept_as_they_are(box: Imap) -> None:
    """Before and after ENABLE UTF8=ACCEPT, in every form: who fetched such a message can put it back."""
    name = fresh(box)
    messages = ["Subject: Été\r\n\r\nça va\r\n".encode(), b"Subject: \xe9t\xe9\r\n\r\n\xe9\xff\r\n"]
    for message in messages:
        assert box.append(name, message).startswith(b"OK")
        assert box.ending(f"APPEND {name} UTF8 (~".encode() + plus(message) + b")").startswith(b"OK")
    assert box.ending('CREATE "Boîte"').startswith(b"BAD")
    box.ok("ENABLE UTF8=ACCEPT")
    box.ok('CREATE "Boîte"')
    for message in messages:
        assert box.append('"Boîte"', message).startswith(b"OK")
        assert box.ending('APPEND "Boîte" UTF8 (~'.encode() + plus(message) + b")").startswith(b"OK")
    expected = [message for message in messages for _ in range(2)]
    assert bodies(box, name) == bodies(box, '"Boîte"') == expected


@pytest.mark.req("IMP-1")
def test_nuls_come_back_as_they_were(box: Imap) -> None:
    """RFC 3516 section 4.4: a literal8 with NUL is kept exactly, alone, catenated and within UTF8 ()."""
    name = fresh(box)
    message = HEAD + b"Content-Transfer-Encoding: binary\r\n\r\n\0\0binary\0\r\n"
    assert box.ending(f"APPEND {name} ~".encode() + plus(message)).startswith(b"OK")
    assert box.ending(f"APPEND {name} UTF8 (~".encode() + plus(message) + b")").startswith(b"OK")
    assert box.ending(f"APPEND {name} CATENATE (URL /{name}/;UID=1)".encode()).startswith(b"OK")
    assert bodies(box, name) == [message] * 3
    (line,) = box.fetch("3", "BINARY.PEEK[1]")
    assert line.endswith(b"~{11}\r\n\0\0binary\0\r\n)")


@pytest.mark.req("IMP-1")
def test_appendlimit_is_the_same_everywhere(box: Imap) -> None:
    """RFC 7889: CAPABILITY, STATUS, and the refusal of what is larger, before it is sent."""
    (capabilities,) = box.ok("CAPABILITY")
    found = re.search(rb"APPENDLIMIT=(\d+)", capabilities)
    assert found
    limit = int(found[1])
    assert b"(APPENDLIMIT %d)" % limit in box.ok("STATUS INBOX (APPENDLIMIT)")[0]
    assert b"(APPENDLIMIT %d)" % limit in b"".join(box.ok('LIST "" INBOX RETURN (STATUS (APPENDLIMIT))'))
    assert box.ending(f"APPEND INBOX {{{limit + 1}}}").startswith(b"NO [TOOBIG]")


def test_a_client_that_leaves_in_the_middle_leaves_nothing(door: Served, box: Imap) -> None:
    """Messages that had come whole, and half of another: no spool file stays, nothing is stored."""
    name = fresh(box)
    leaver = door.imap(door.account("PER"))
    large = TEXT + b"x" * 600_000
    tag = leaver.begin(f"APPEND {name} ".encode() + plus(large) + b" " + plus(large) + b" {900000}")
    assert leaver.response().startswith(b"+")
    assert len(door.spooled) == 2
    leaver.send(b"x" * 600_000)
    leaver.close()
    while door.spooled:
        box.ok("NOOP")
    assert tag
    assert bodies(box, name) == []


@pytest.mark.req("IMP-1")
def test_a_hundred_large_messages_hold_little_memory(door: Served, box: Imap) -> None:
    """25 MB in messages that each would fit into memory: what is over the share of a command goes to files."""
    name = fresh(box)
    message = TEXT + b"x" * 250_000 + b"\r\n"
    tag = box.begin(f"APPEND {name} {{{len(message)}}}")
    with little_memory(6 * MIB):
        for rest in reversed(range(100)):
            assert box.response().startswith(b"+")
            box.send(message + (b" {%d}\r\n" % len(message) if rest else b"\r\n"))
        assert uid_of(box.until(tag)[1])[1] == b"1:100"
    box.ok(f"SELECT {name}")
    assert literal(box.fetch("100", "BODY.PEEK[]")[0]) == message
    assert door.spooled == []


@pytest.mark.req("IMP-1")
def test_headers_of_many_messages_are_bounded(door: Served, box: Imap) -> None:
    """Headers stay in memory: too many large ones in one command are refused with LIMIT, all of them."""
    name = fresh(box)
    head = b"X-Filler: " + b"h" * 200_000 + b"\r\n\r\n"
    command = f"APPEND {name} ".encode() + b" ".join([plus(head)] * 15)
    assert box.ending(command).startswith(b"NO [LIMIT]")
    assert bodies(box, name) == []
    assert box.append(name, head).startswith(b"OK")


@pytest.mark.req("IMP-1")
def test_replace_and_uidonly(box: Imap) -> None:
    """RFC 9586: no numbers; the UID form tells VANISHED."""
    name = fresh(box)
    box.append(name, TEXT)
    box.ok("ENABLE UIDONLY")
    box.ok(f"SELECT {name}")
    assert box.ending(f"REPLACE 1 {name} ".encode() + plus(TEXT)).startswith(b"BAD [UIDREQUIRED]")
    untagged, tagged = box.run(f"UID REPLACE 1 {name} ".encode() + plus(TEXT))
    assert b"* VANISHED 1" in untagged
    assert not any(b"EXPUNGE" in line for line in untagged)
    assert tagged.startswith(b"OK")


@pytest.mark.req("IMP-1")
def test_rights_on_source_and_target(door: Served, box: Imap) -> None:
    """RFC 4314 section 4: `i` to append, `r` to read for CATENATE, `t` and `e` to replace, flags as rights allow."""
    name = fresh(box)
    box.append(name, TEXT)
    other = door.imap(door.account("ORG"))
    assert other.ending(f'APPEND Trash CATENATE (URL "/{name}/;UID=1")').startswith(b"NO [BADURL ")
    assert other.append(f"Shared/{door.account('PER').address}/{name}", TEXT).startswith(b"NO ")
