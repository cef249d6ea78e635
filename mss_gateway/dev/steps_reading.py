"""Steps of the tour on reading mail: shared mailboxes, push, search, and moving in from another server."""

from __future__ import annotations

import imaplib
import json
import os
import time

from mss_gateway.ops.operation import PASSWORD_VARIABLE

from . import wire
from .handout import Account
from .tour import Stage, Step, eventually, expect

WORD = "créatininémie"
"""Stands in one letter of the tour and in nothing else."""


def shared(stage: Stage) -> str:
    """BAL-3: what one member has read is new for the other, and the mailbox knows who read it."""
    first, second = _members(stage)
    message = stage.letter("shared", "Rendez-vous à fixer", "Bonjour.\n", first.address)
    stage.send(stage.professional, message)
    read = stage.read(first, message)
    expect(str(read["Subject"]) == "Rendez-vous à fixer", "the wrong letter was read")
    flags = [stage.found(member, message).flags for member in (first, second)]
    expect("\\Seen" in flags[0], f"the one who read it has {sorted(flags[0])}")
    expect("\\Seen" not in flags[1], f"the other member has {sorted(flags[1])}")
    words = ("bal", "activity", first.address, "--message-id", str(message["Message-ID"]))
    said = stage.command(stage.handout, *words)
    expect(first.login in said and "read" in said, f"the activity does not name the reader: {said}")
    return f"read by {first.login}, new for {second.login}, and `bal activity` says so"


def pushed(stage: Stage) -> str:
    """IMP-1: a client that waits in IDLE hears of a letter the moment it is stored."""
    message = stage.letter("pushed", "Urgent", f"La {WORD} est élevée.\n", stage.professional.address)
    with wire.mailbox(stage.handout, stage.professional) as imap:
        imap.select("INBOX")
        imap.send(b"tour IDLE\r\n")
        _line(imap, b"+")
        stage.send(stage.professional, message)
        accepted = time.perf_counter()
        heard = _line(imap, b"EXISTS")
        taken = 1000 * (time.perf_counter() - accepted)
        imap.send(b"DONE\r\n")
        _line(imap, b"tour OK")
    return f"{heard.decode().strip()} · {max(taken, 0.0):.1f} ms after the 250 was read"


def searched(stage: Stage) -> str:
    """IMP-1: words are found without their accents, inside of words, and in the coded parts of a message."""
    with wire.mailbox(stage.handout, stage.professional) as imap:
        imap.select("INBOX", readonly=True)
        hits: list[bytes] = []
        for key in ("TEXT CREATININE", "BODY tininemi", f'FUZZY TEXT "{WORD[:-1].replace("é", "e")}"'):
            _, data = imap.uid("SEARCH", *key.split(" "))
            hits += [data[0] or b""]
    expect(all(hits) and hits[0] == hits[1], f"found {hits}")
    return f"UID {hits[0].decode()} by three spellings of « {WORD} »"


def moved_in(stage: Stage) -> str:
    """IMP-4: a mailbox of another IMAP server (here our own, for want of one) is taken over, twice without doubles."""
    source = stage.handout.account("CAB")
    message = stage.letter("before", "Avant le déménagement", "Bonjour.\n", source.address)
    stage.send(stage.professional, message)
    stage.found(source, message)
    target = stage.professional.address
    words = ["mailbox", "import", target, "--from", f"imaps://{wire.HOST}:{stage.handout.ports.imaps}"]
    words += ["--user", source.login, "--ca", stage.handout.ca, "--into", "Repris", "--json"]
    os.environ[PASSWORD_VARIABLE] = source.password
    try:
        first, again = (json.loads(stage.command(stage.handout, *words)) for _ in range(2))
    finally:
        del os.environ[PASSWORD_VARIABLE]
    expect(first["taken"] >= 1 and first["refused"] == 0, f"the first run says {first}")
    expect(again["taken"] == 0, f"the second run says {again}")
    with wire.mailbox(stage.handout, stage.professional) as imap:
        imap.select("Repris/INBOX", readonly=True)
        _, data = imap.uid("SEARCH", "HEADER", "Message-ID", str(message["Message-ID"]))
    expect(len((data[0] or b"").split()) == 1, f"the message is there {data} times")
    return f"{first['taken']} taken over and compared octet by octet, then {again['taken']} more"


def _members(stage: Stage) -> tuple[Account, Account]:
    first, second = (account for account in stage.handout.accounts if account.type == "ORG")
    return first, second


def _line(imap: imaplib.IMAP4, word: bytes) -> bytes:
    """The next line that holds the word."""
    found: list[bytes] = []

    def come() -> bool:
        found.append(imap.readline())
        return word in found[-1]

    eventually(come, f"{word.decode()} did not come: {found}")
    return found[-1]


READING: tuple[Step, ...] = (
    Step("In a shared mailbox each member has their own read mark, and who read is known", shared),
    Step("A mail client that waits hears of a letter at once", pushed),
    Step("Search finds words without accents and within words", searched),
    Step("A mailbox moves in from another IMAP server, and nothing comes twice", moved_in),
)
"""Reading mail."""
