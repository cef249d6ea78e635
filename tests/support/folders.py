"""Folders for tests of several IMAP sessions: filled, opened, and read out of answers."""

from __future__ import annotations

import itertools
import re

from tests.support.letters import letter
from tests.support.wires import Imap

_numbers = itertools.count(1)


def filled(imap: Imap, count: int) -> str:
    """A new folder with so many messages, UIDs from 1."""
    name = f"filled-{next(_numbers)}"
    imap.ok(f"CREATE {name}")
    for _ in range(count):
        assert imap.append(name, letter()).startswith(b"OK")
    return name


def number_after(word: bytes, answers: list[bytes]) -> int:
    """The number behind a word such as UIDVALIDITY in the first answer that has one."""
    found = re.search(word + rb" (\d+)", b"\n".join(answers))
    assert found is not None, (word, answers)
    return int(found[1])


def fetches(answers: list[bytes]) -> list[bytes]:
    """The FETCH and UIDFETCH answers alone."""
    return [line for line in answers if line.split(b" ", 3)[2:3] in ([b"FETCH"], [b"UIDFETCH"])]


def remove(imap: Imap, uids: str) -> None:
    """Take messages out of the folder in hand."""
    imap.ok(f"UID STORE {uids} +FLAGS.SILENT (\\Deleted)")
    imap.ok(f"UID EXPUNGE {uids}")


__all__ = ["fetches", "filled", "number_after", "remove"]
