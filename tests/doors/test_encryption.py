"""A gateway that encrypts at rest, over real sockets: nothing in the clear, everything served, damage told (OPS-5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mss_gateway.settings import Settings
from tests.support.doors import Served, gateway_in_thread
from tests.support.store import sealing

pytestmark = pytest.mark.req("OPS-5")
CANARY = b"Hydroxychloroquine"


def encrypting(settings: Settings) -> Settings:
    """New messages are sealed, and no index keeps their words."""
    store = replace(settings.store, encryption=sealing(settings.store.path), index=False)
    return replace(settings, store=store)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A gateway of a test."""
    with gateway_in_thread(tmp_path, encrypting) as gateway:
        yield gateway


def holding(folder: Path) -> list[str]:
    """Files that hold a word of the messages."""
    return [str(one) for one in folder.rglob("*") if one.is_file() and CANARY in one.read_bytes()]


def message(size: int, sender: str = "a@b.example") -> bytes:
    """A message full of canaries: subject, file name and text."""
    head = (
        f"From: <{sender}>\r\nTo: <c@d.example>\r\nMessage-ID: <{size}@b.example>\r\n"
        "Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
    ).encode()
    head += (
        b"Subject: " + CANARY + b' %d\r\nContent-Type: text/plain; name="' % size + CANARY + b'.txt"\r\n\r\n'
    )
    line = CANARY + b" est prescrit\r\n"
    return head + line * (size // len(line) + 1)


def test_messages_are_sealed_on_the_disk_and_served_as_they_came(served: Served, tmp_path: Path) -> None:
    """Sent and appended, small and large: FETCH, SEARCH, SORT and PREVIEW say what they would without encryption."""
    account = served.account("ORG")
    smtp = served.submission(account)
    smtp.envelope(account.address, account.address)
    assert smtp.command("DATA").startswith("354")
    sent = message(900_000, account.address)
    smtp.send(sent[:700_000])
    while not served.spooled or served.spooled[0].stat().st_size < 400_000:
        pass
    assert holding(tmp_path) == []
    smtp.send(sent[700_000:] + b".\r\n")
    assert smtp.reply().startswith("250")
    imap = served.imap(account, select="INBOX")
    for size in (100, 20_000, 60_000):
        imap.append("Drafts", message(size))
    imap.ok("SELECT Drafts")
    for uid, size in enumerate((100, 20_000, 60_000), 1):
        (whole,) = imap.fetch(str(uid), "BODY.PEEK[]")
        assert message(size) in whole
        (part,) = imap.fetch(str(uid), f"BODY.PEEK[1]<{size // 2}.50>")
        text = message(size).partition(b"\r\n\r\n")[2]
        assert text[size // 2 :][:50] in part
    for items in ("ENVELOPE", "BODYSTRUCTURE", "(UID PREVIEW)", "(FLAGS BODY.PEEK[HEADER])"):
        assert all(CANARY in line for line in imap.fetch("1:3", items))
    assert b"1 2 3" in imap.ok(f"SEARCH TEXT {CANARY.decode()}")[0]
    assert b"1 2 3" in imap.ok("SORT (SUBJECT) UTF-8 ALL")[0].replace(b"1 3 2", b"1 2 3")
    imap.ok("SELECT INBOX")
    (whole,) = imap.fetch("*", "BODY.PEEK[TEXT]")
    assert sent.partition(b"\r\n\r\n")[2] in whole
    assert holding(tmp_path) == []
    assert not served.faults()


@pytest.mark.parametrize("items", ["ENVELOPE", "BODY.PEEK[]", "(UID BODY.PEEK[TEXT])"])
def test_a_damaged_message_is_told_and_the_session_goes_on(served: Served, items: str) -> None:
    """`NO [SERVERBUG]` for the FETCH; the other messages have their lines, and nothing of the damaged one is sent."""
    imap = served.imap(served.account("ORG"))
    for size in (100, 50_000, 200):
        imap.append("Drafts", message(size))
    imap.ok("SELECT Drafts")
    served.call(
        served.parts.store._engine.write(
            lambda writer: writer.db.execute(
                "UPDATE body_keys SET wrapped = zeroblob(60) WHERE body_id = (SELECT body_id FROM messages"
                " JOIN bodies ON bodies.id = body_id WHERE bodies.size > 50000 ORDER BY body_id DESC LIMIT 1)"
            )
        )
    )
    lines, ending = imap.run(f"FETCH 1:3 {items}")
    assert ending.startswith(b"NO [SERVERBUG] ")
    assert not any(line.startswith(b"* 2 FETCH") for line in lines)
    if items != "(UID BODY.PEEK[TEXT])":
        assert [line[:9] for line in lines] == [b"* 1 FETCH", b"* 3 FETCH"]
    assert imap.fetch("3", items)
    assert imap.ok(f"SEARCH TEXT {CANARY.decode()}") == [b"* SEARCH 1 3"]
    assert imap.ok("SORT (SUBJECT) UTF-8 ALL")
    assert served.faults() == 1
