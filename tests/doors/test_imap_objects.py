"""What names a message and when it came: OBJECTID (RFC 8474) and SAVEDATE (RFC 8514), over the wire."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.support.doors import Served
from tests.support.wires import Imap

MESSAGES = {
    "first": b"Message-ID: <1@a.example>\r\nSubject: avis\r\n\r\nun\r\n",
    "answer": b"Message-ID: <2@a.example>\r\nIn-Reply-To: <1@a.example>\r\nSubject: Re: avis\r\n\r\ndeux\r\n",
    "answer to it": b"Message-ID: <3@a.example>\r\nIn-Reply-To: <2@a.example>\r\nSubject: Re: avis\r\n\r\ntrois\r\n",
    "with references": (
        b"Message-ID: <4@a.example>\r\nReferences: <1@a.example>\r\n <9@a.example> <3@a.example>\r\n\r\nquatre\r\n"
    ),
    "another": b"Message-ID: <5@a.example>\r\nSubject: avis\r\n\r\ncinq\r\n",
    "nameless": b"Subject: avis\r\n\r\nsix\r\n",
    "nameless too": b"Subject: avis\r\n\r\nsept\r\n",
}


@pytest.fixture
def box(door: Served) -> Iterator[Imap]:
    """A session with an empty mailbox `objects` in hand."""
    imap = door.imap(door.account("PER"))
    for name in ("objects", "target"):
        imap.run(f"DELETE {name}")
    imap.ok("CREATE objects")
    imap.ok("SELECT objects")
    yield imap
    imap.close()


def value(imap: Imap, item: str, number: str = "*") -> bytes:
    """The one value between parentheses of an item."""
    (line,) = imap.fetch(number, f"({item})")
    found = re.search(rb"%b \(([A-Za-z0-9_-]{1,255})\)" % item.encode(), line)
    assert found, line
    return found[1]


def ids(imap: Imap, item: str) -> list[bytes]:
    """The values of all messages in hand."""
    return re.findall(rb"%b \(([^)]+)\)" % item.encode(), b"".join(imap.fetch("1:*", f"({item})")))


@pytest.mark.req("IMP-1")
def test_it_is_announced_after_login(box: Imap) -> None:
    """All three words stand among the capabilities."""
    (line,) = box.ok("CAPABILITY")
    assert {b"OBJECTID", b"SAVEDATE", b"PREVIEW"} <= set(line.split())


def test_a_mailbox_is_named_once(box: Imap) -> None:
    """CREATE, SELECT and STATUS say the same; RENAME keeps it, a new mailbox of the old name has another."""
    created = box.ending("CREATE target")
    found = re.search(rb"\[MAILBOXID \(([A-Za-z0-9_-]+)\)\]", created)
    assert found, created
    name = found[1]
    assert any(b"[MAILBOXID (%b)]" % name in line for line in box.ok("EXAMINE target"))
    assert box.ok("STATUS target (MESSAGES MAILBOXID)") == [
        b"* STATUS target (MESSAGES 0 MAILBOXID (%b))" % name
    ]
    box.ok("SELECT objects")
    box.run("DELETE other")
    box.ok("RENAME target other")
    assert name in box.ok("STATUS other (MAILBOXID)")[0]
    assert name not in box.ending("CREATE target")
    box.ok("DELETE other")


def test_a_copy_keeps_its_email_and_thread(box: Imap) -> None:
    """COPY and MOVE keep EMAILID and THREADID; another message has another EMAILID."""
    for message in MESSAGES.values():
        box.append("objects", message)
    box.ok("NOOP")
    emails, threads = ids(box, "EMAILID"), ids(box, "THREADID")
    assert len(set(emails)) == len(MESSAGES)
    box.ok("CREATE target")
    box.ok("COPY 1:3 target")
    box.ok("MOVE 4:7 target")
    box.ok("SELECT target")
    assert ids(box, "EMAILID") == emails
    assert ids(box, "THREADID") == threads


def test_conversations(box: Imap) -> None:
    """Answers join the thread of what they answer, by any of its messages; the rest stands alone."""
    for message in MESSAGES.values():
        box.append("objects", message)
    box.ok("NOOP")
    threads = dict(zip(MESSAGES, ids(box, "THREADID"), strict=True))
    assert len({threads[name] for name in ("first", "answer", "answer to it", "with references")}) == 1
    assert len(set(threads.values())) == 4


def test_a_message_appended_again_is_of_its_thread(box: Imap) -> None:
    """The same octets twice have one EMAILID and one THREADID."""
    for name in ("first", "answer", "answer to it", "answer to it"):
        box.append("objects", MESSAGES[name])
    box.ok("NOOP")
    assert len(set(ids(box, "EMAILID"))) == 3
    assert len(set(ids(box, "THREADID"))) == 1


def test_conversations_are_those_of_one_box(door: Served, box: Imap) -> None:
    """What somebody files in his own box draws no message of another box into a thread."""
    patient = door.imap(door.account("PAT"), select="INBOX")
    assert patient.append("INBOX", b"Message-ID: <71@a.example>\r\nReferences: <70@a.example>\r\n\r\na\r\n")
    box.append("objects", b"Message-ID: <72@a.example>\r\nIn-Reply-To: <71@a.example>\r\n\r\nb\r\n")
    box.append("objects", b"Message-ID: <70@a.example>\r\n\r\nc\r\n")
    patient.ok("NOOP")
    box.ok("NOOP")
    mine = ids(box, "THREADID")
    assert value(patient, "THREADID") == mine[1]  # named by the first message, which both know
    assert mine[0] != mine[1]
    patient.close()


def test_save_dates(box: Imap) -> None:
    """SAVEDATE is the time of filing, whatever the internal date; a copy has its own."""
    before = int(time.time())
    box.append("objects", MESSAGES["first"], '"01-Feb-2003 04:05:06 +0000"')
    box.ok("NOOP")
    (line,) = box.fetch("*", "(SAVEDATE INTERNALDATE)")
    found = re.search(rb'SAVEDATE "([^"]+) \+0000" INTERNALDATE "[ 0]1-Feb-2003 04:05:06 \+0000"', line)
    assert found, line
    saved = _epoch(found[1])
    assert before <= saved <= time.time()
    box.ok("CREATE target")
    box.ok("COPY 1 target")
    box.ok("SELECT target")
    (line,) = box.fetch("*", "(SAVEDATE)")
    copied = re.search(rb'SAVEDATE "([^"]+) \+0000"', line)
    assert copied
    assert _epoch(copied[1]) >= saved


def _epoch(text: bytes) -> int:
    import calendar

    return calendar.timegm(time.strptime(text.decode().strip(), "%d-%b-%Y %H:%M:%S"))


def test_a_message_of_old_has_no_save_date(door: Served, box: Imap) -> None:
    """NIL where nobody wrote it down; its thread is its own."""
    box.append("objects", MESSAGES["first"])
    box.ok("NOOP")
    store = door.parts.store
    door.call(
        store._engine.write(
            lambda writer: writer.db.execute("UPDATE messages SET save_date = NULL, thread = NULL")
        )
    )
    assert b"SAVEDATE NIL" in box.fetch("1", "(SAVEDATE)")[0]
    assert value(box, "THREADID", "1")


def test_delivered_mail_has_them_too(door: Served) -> None:
    """A letter by SMTP has a save date, an email and a thread; its sender's copy in another box the same email."""
    account = door.account("PER")
    smtp = door.submission(account)
    imap = door.imap(account, select="INBOX")
    letter = b"From: <%b>\r\nTo: <%b>\r\nMessage-ID: <o1@a.example>\r\nSubject: a\r\n\r\nx\r\n" % (
        (account.address.encode(),) * 2
    )
    assert smtp.deliver(account.address, account.address, letter).startswith("250")
    imap.ok("NOOP")
    (line,) = imap.fetch("*", "(SAVEDATE EMAILID THREADID)")
    assert re.search(rb'SAVEDATE "[^"]+" EMAILID \(M[0-9a-f]{32}\) THREADID \(T[0-9a-f]{16}\)', line), line
    smtp.close()
    imap.close()
