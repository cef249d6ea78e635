"""COMPARATOR and searches by i;unicode-casemap over real sockets (RFC 5255 section 4), with and without the index."""

from __future__ import annotations

import itertools
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from mss_gateway.imapd.indexed import look_up
from mss_gateway.ports.textsearch import TextHits
from mss_gateway.protocol.imap.searchkeys import AmongUids, And, BodyHas, HeaderHas, Not
from mss_gateway.settings import Settings
from tests.support.doors import Served
from tests.support.wires import Imap

Start = Callable[..., Served]
CASEMAP = b"* COMPARATOR i;unicode-casemap"
FOLD = b"* COMPARATOR vnd-mss-gateway;fold"
SUBJECTS = (
    "Créatinine",
    "CREATININE",
    "cre\u0301atinine",
    "Sırt ağrısı",
    "straße",
    "Σίσυφος \u1fb3",
    "l’œuf  dur",
)
NEEDLES = (
    *("créatinine", "creatinine", "CRÉAT", "tinin", "e", "i", "SIRT", "sirt", "rt", "STRASSE", "Straße"),
    *("ΣΊΣΥΦΟΣ", "\u1fbc", "Ι", "œuf", "oeuf", "L’ŒUF", "l'œuf", "f  d", "f d", " dur", "", " ", "\u0301"),
    *("compte-rendu", "Compte-Rendu é", "joint", "jointe"),
)
KEYS = (
    *("TEXT", "BODY", "SUBJECT", "HEADER X-Note", "UNSEEN NOT TEXT", "FUZZY SUBJECT", "OR SEEN BODY"),
    *(
        "TEXT c TEXT r TEXT a TEXT t NOT BODY zz TEXT",
        "OR OR OR OR SUBJECT cr BODY rt SUBJECT zz BODY zy TEXT",
    ),
)


def _word(text: str) -> str:
    return f"=?utf-8?b?{b64encode(text.encode()).decode()}?="


def _message(number: int, subject: str) -> bytes:
    """The word in the subject or in the text, in a part of its own, in an attached message or as a file name."""
    head = f"From: {_word('Zoé')} <z{number}@example.org>\r\nMIME-Version: 1.0\r\n"
    text = b64encode(subject.encode()).decode()
    plain = f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{text}\r\n"
    match number % 3:
        case 0:
            return f"{head}Subject: {_word(subject)}\r\nX-Note: {_word(subject)}\r\n\r\nRien.\r\n".encode()
        case 1:
            return f"{head}Subject: Rien\r\n{plain}".encode()
        case _:
            return (
                f'{head}Content-Type: multipart/mixed; boundary="-"\r\n\r\n---\r\n{plain}---\r\n'
                f"Content-Type: message/rfc822\r\n\r\nSubject: joint {_word(subject)}\r\n\r\nRien.\r\n---\r\n"
                f"Content-Disposition: attachment; filename*=utf-8''Compte-rendu%20%C3%A9.pdf\r\n\r\n\r\n-----\r\n"
            ).encode()


def _filled(served: Served) -> Imap:
    imap = served.imap(served.account("PER"))
    imap.ok("CREATE compared")
    for number, subject in enumerate(SUBJECTS * 3):
        assert imap.append("compared", _message(number, subject)).startswith(b"OK")
    imap.ok("SELECT compared")
    imap.ok("STORE 1:4 +FLAGS (\\Seen)")
    return imap


def _found(imap: Imap, key: str, needle: str, command: str = "SEARCH CHARSET UTF-8") -> list[int]:
    data = needle.encode()
    lines = imap.ok(b"%b %b {%d+}\r\n%b" % (command.encode(), key.encode(), len(data), data))
    (line,) = [line for line in lines if line.startswith((b"* SEARCH", b"* SORT"))]
    return [int(number) for number in line.split()[2:]]


def _answers(imap: Imap) -> dict[tuple[str, str], list[int]]:
    return {one: _found(imap, *one) for one in itertools.product(KEYS, NEEDLES)}


def test_the_dialogue(door: Served) -> None:
    """Asking, choosing, several that match, none that does; SELECT keeps the choice, UNAUTHENTICATE ends it."""
    account = door.account("PER")
    imap = door.imap()
    assert imap.ending("COMPARATOR").startswith(b"BAD")
    imap.ok(f"LOGIN {account.login} {account.password}")
    (words,) = imap.ok("CAPABILITY")
    assert b" I18NLEVEL=2" in words
    assert b"I18NLEVEL=1" not in words
    assert imap.run("COMPARATOR")[0] == [FOLD]
    assert imap.run('COMPARATOR "cz;*" i;unicode-casemap') == ([CASEMAP], b"OK texts are compared so")
    assert imap.ending('COMPARATOR "cz;*" i;basic').startswith(b"NO [BADCOMPARATOR]")
    assert imap.ending('COMPARATOR "**"').startswith(b"BAD")
    imap.ok("SELECT INBOX")
    assert imap.ok("COMPARATOR") == [CASEMAP]
    assert imap.ok('COMPARATOR default "i;*"') == [FOLD + b" (vnd-mss-gateway;fold i;unicode-casemap)"]
    assert imap.ok('COMPARATOR "*"') == [CASEMAP + b" (i;unicode-casemap vnd-mss-gateway;fold)"]
    imap.ok("UNAUTHENTICATE")
    assert imap.ending("COMPARATOR").startswith(b"BAD")
    imap.ok(f"LOGIN {account.login} {account.password}")
    assert imap.ok("COMPARATOR") == [FOLD]
    imap.close()


@pytest.mark.req("IMP-1")
@pytest.mark.timeout(600)
def test_the_index_changes_no_answer(special: Start) -> None:
    """By either comparator every key finds the same with the index and without; and what RFC 5051 says."""

    def without(settings: Settings) -> Settings:
        return replace(settings, store=replace(settings.store, index=False))

    plain = _filled(special(without))
    folded = _answers(plain)
    plain.ok("COMPARATOR i;unicode-casemap")
    mapped = _answers(plain)
    served = special()
    imap = _filled(served)
    store = served.parts.store
    box = served.call(store.box(served.account("PER").address.lower()))
    assert served.call(store.reindex(box.id)) >= len(SUBJECTS) * 3
    assert _answers(imap) == folded
    imap.ok("COMPARATOR i;unicode-casemap")
    assert _answers(imap) == mapped
    imap.ok("COMPARATOR default")
    assert _answers(imap) == folded
    assert mapped["TEXT", "créatinine"] == [1, 3, 8, 10, 15, 17]
    assert mapped["TEXT", "creatinine"] == [2, 9, 16]
    assert folded["TEXT", "creatinine"] == [1, 2, 3, 8, 9, 10, 15, 16, 17]
    assert mapped["TEXT", "STRASSE"] == []
    assert mapped["TEXT", "Straße"] == folded["TEXT", "STRASSE"] == [5, 12, 19]
    assert mapped["TEXT", "SIRT"] == [4, 11, 18]
    assert mapped["TEXT", "f  d"] == [7, 14, 21]
    assert mapped["TEXT", "f d"] == []


async def test_the_index_only_sifts() -> None:
    """What it finds by the sure part is read; where nothing is sure it is not asked; FUZZY it answers as ever."""
    asked: list[str] = []

    async def find_text(folder: int, field: str, needle: str) -> TextHits:
        asked.append(needle)
        return TextHits(frozenset({3, 5}), 9, frozenset({4}))

    mailboxes: Any = SimpleNamespace(find_text=find_text)
    leaf = BodyHas("Créatinine", accents=True)
    found = await look_up(mailboxes, 1, Not(leaf))
    assert found is not None
    assert found.key == Not(And((AmongUids(frozenset({3, 5})), leaf)))
    assert found.split([3, 4, 5, 10]) == ([3, 5], [4, 10])
    unsure = HeaderHas("subject", "\u0301", accents=True)
    found = await look_up(mailboxes, 1, unsure)
    assert found is not None
    assert found.key == unsure
    assert asked == ["creat"]


def test_every_kind_of_search_goes_by_it(special: Start) -> None:
    """UID SEARCH, ESEARCH, SORT, THREAD; a live search keeps what it began with."""
    served = special()
    imap = _filled(served)
    imap.ok("COMPARATOR i;unicode-casemap")
    assert _found(imap, "", "", "UID SEARCH TEXT creatinine FROM") == [2, 9, 16]
    assert _found(imap, "TEXT creatinine FROM", "", "SORT (REVERSE ARRIVAL) UTF-8") == [16, 9, 2]
    assert imap.ok("UID THREAD ORDEREDSUBJECT UTF-8 TEXT creatinine")[0].count(b"16") == 1
    (line,) = imap.ok("ESEARCH IN (mailboxes compared) RETURN (ALL) TEXT creatinine")
    assert line.endswith(b"UID ALL 2,9,16")
    imap.ok("UID SEARCH RETURN (UPDATE COUNT) SUBJECT creatinine")
    imap.ok("COMPARATOR default")
    other = served.imap(served.account("PER"))
    for subject in ("Créatinine", "CREATININE"):
        other.append("compared", _message(0, subject))
    told = [line for line in imap.ok("NOOP") if b"ADDTO" in line]
    assert len(told) == 1
    assert told[0].endswith(b"ADDTO (0 23)")
