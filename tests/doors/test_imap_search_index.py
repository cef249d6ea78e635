"""SEARCH with and without the full-text index, under a limit of messages, and contexts in an order of their own."""

from __future__ import annotations

import itertools
import random
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from mss_gateway.imapd import contexts
from mss_gateway.imapd.session import News
from mss_gateway.protocol.imap.commands import Search
from mss_gateway.protocol.imap.searchkeys import And
from mss_gateway.protocol.imap.tracker import SequenceView
from mss_gateway.settings import Settings
from tests.support.doors import Served
from tests.support.wires import Imap

COUNT = 18
Start = Callable[..., Served]
WORDS = (
    "cœur",
    "opéré",
    "Résultats",
    "aujourd’hui",
    "glycémie",
    "1,5",
    "l'hôpital",
    "x-ray",
    "été",
    "cardio",
)


def _subject(text: str) -> str:
    return f"=?utf-8?b?{b64encode(text.encode()).decode()}?="


def _messages() -> list[bytes]:
    dice = random.Random("search")
    made = []
    for number in range(COUNT):
        words = " ".join(dice.choices(WORDS, k=4))
        header = (
            f"From: =?latin1?q?Ren=E9?= <r{number}@example.org>\r\nTo: b@example.org\r\nX-Word: {number}\r\n"
        )
        header += (
            f"Subject: {_subject(words) if number % 2 else words.encode('ascii', 'ignore').decode()}\r\n"
        )
        text = " ".join(dice.choices(WORDS, k=6))
        if number % 3 == 0:
            kind, text = "text/html", f"<p>{text}<br><b>gras</b>suite</p><style>p {{ color: red }}</style>"
        else:
            kind = "text/plain"
        header += f"MIME-Version: 1.0\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"
        made.append((header + "\r\n").encode() + b64encode(text.encode()) + b"\r\n")
    return made


def _needles() -> list[str]:
    dice = random.Random("needles")
    text = " ".join(WORDS * 2)
    found = [
        "",
        " ",
        "coeur",
        "OPERE",
        "e",
        "été cardio",
        " été",
        "ete ",
        "renE",
        "<r1",
        "r1@example",
        "gras",
        "grassuite",
        "red",
        "zz",
    ]
    for _ in range(12):
        start = dice.randrange(len(text))
        found.append(text[start : start + dice.randint(1, 9)])
    return found


def _answers(imap: Imap) -> list[tuple[str, bytes]]:
    """What every key says to every needle."""
    answers = []
    keys = ("TEXT", "SUBJECT", "FROM", "HEADER X-Word", "UNSEEN NOT BODY")
    for key, needle in itertools.product(keys, _needles()):
        data = needle.encode()
        lines = imap.ok(b"SEARCH CHARSET UTF-8 %b {%d+}\r\n%b" % (key.encode(), len(data), data))
        answers.append((f"{key} {needle!r}", next(line for line in lines if line.startswith(b"* SEARCH"))))
    return answers


def _filled(served: Served) -> Imap:
    imap = served.imap(served.account("PER"))
    imap.ok("CREATE searched")
    for message in _messages():
        assert imap.append("searched", message).startswith(b"OK")
    imap.ok("SELECT searched")
    imap.ok("STORE 1:7 +FLAGS (\\Seen)")
    return imap


@pytest.mark.req("IMP-1")
@pytest.mark.timeout(600)
def test_the_index_changes_no_answer(special: Start) -> None:
    """Every key and needle finds the same with the index, with half of it, and without."""

    def without(settings: Settings) -> Settings:
        return replace(settings, store=replace(settings.store, index=False))

    plain = _answers(_filled(special(without)))
    served = special()
    imap = _filled(served)
    store = served.parts.store
    address = served.account("PER").address
    box = served.call(store.box(address.lower()))
    assert served.call(store.reindex(box.id)) >= COUNT
    (folder,) = [one for one in served.call(store.folders(box.id)) if one.name == "searched"]
    assert served.call(store.find_text(folder.id, "text", "coeur")).decided >= COUNT
    assert _answers(imap) == plain
    for message in _messages():
        assert imap.append("searched", message).startswith(b"OK")
    imap.ok("NOOP")
    doubled = [(key, [int(number) for number in line.split()[2:]]) for key, line in _answers(imap)]
    for (key, numbers), (_, line) in zip(doubled, plain, strict=True):
        before = [int(number) for number in line.split()[2:]]
        assert [number for number in numbers if number <= COUNT] == before, key
        if "UNSEEN" not in key:
            assert [number - COUNT for number in numbers if number > COUNT] == before, key


def test_a_limit_of_messages(special: Start) -> None:
    """RFC 9738: the highest UIDs that the sets leave are searched; the tagged OK says from where."""

    def few(settings: Settings) -> Settings:
        return replace(settings, imaps=replace(settings.imaps, message_limit=3))

    served = special(few)
    imap = served.imap(served.account("PER"))
    imap.ok("CREATE few")
    for message in _messages()[:6]:
        imap.append("few", message)
    imap.ok("SELECT few")
    lines, ending = imap.run("UID SEARCH HEADER X-Word 1")
    assert lines == [b"* SEARCH"]
    assert ending.startswith(b"OK [MESSAGELIMIT 3 4]")
    lines, ending = imap.run("UID SEARCH UIDBEFORE 4 HEADER X-Word 1")
    assert lines == [b"* SEARCH 2"]
    assert ending == b"OK searched"
    assert imap.run("SEARCH UNSEEN")[0] == [b"* SEARCH 4 5 6"]


async def test_a_sorted_context_tells_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removals from the end, additions at the place that each takes (RFC 5267 sections 4.3.3, 4.3.4)."""
    now: list[int] = []

    async def found(*_: Any) -> list[int]:
        return now

    async def backwards(uids: Sequence[int]) -> list[int]:
        return sorted(uids, reverse=True)

    monkeypatch.setattr(contexts, "find_uids", found)
    sent: list[bytes] = []
    session: Any = SimpleNamespace(
        send=sent.append,
        contexts=[],
        followers=[],
        forerunners=[],
        uidonly=False,
        folder=SimpleNamespace(view=SequenceView(range(1, 10))),
    )
    contexts.keep(session, b"S", Search(And(())).key, [8, 6, 4, 2], uid=True, ordering=backwards)
    (after,), (before,) = session.followers, session.forerunners
    now = [5, 9]
    await after(News(added=(9,), changed=(4, 5)))
    assert sent.pop() == b'* ESEARCH (TAG "S") UID REMOVEFROM (3 4) ADDTO (1 9 4 5)\r\n'
    assert list(session.contexts[0].results) == [9, 8, 6, 5, 2]
    await before(News(vanished=(8, 2, 3)))
    assert sent.pop() == b'* ESEARCH (TAG "S") UID REMOVEFROM (5 2 2 8)\r\n'
    await before(News(vanished=(7,)))
    assert sent == []
