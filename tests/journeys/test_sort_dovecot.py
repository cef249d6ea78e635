"""SORT and THREAD beside Dovecot on the same awkward letters: the same order, but where the RFCs give another."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.doors import Served, gateway_in_thread
from tests.support.foreign import require_program
from tests.support.oracle import Oracle
from tests.support.wires import Imap

SUBJECTS = (
    "Bilan",
    "Re: bilan",
    "RE[3]: [service] Bilan",
    "Fwd: bilan (fwd)",
    "[Fwd: bilan]",
    "[service]",
    "[service] Re : avis",
    "avis",
    "=?utf-8?q?R=C3=A9sultat?=",
    "=?iso-8859-1?q?r=E9sultat?=",
    "Re: =?utf-8?b?UsOpc3VsdGF0?=",
    "resultat",
    "=?utf-8?q?=C5=93dème?=",
    "  deux   blancs",
    "Re:",
    "10",
    "9",
)
PEOPLE = (
    "zoe@example.org",
    "Anne Petit <a.petit@example.org>",
    '"Petit, Anne" <APETIT@example.org>',
    "=?utf-8?q?=C3=89mile?= <emile@example.org>",
    "emile <x@example.org>",
    "service: bob@example.org, al@example.org;",
    "(commentaire) dr@example.org",
)
DATES = (
    "Fri, 20 Nov 2026 10:00:00 +0000",
    "Fri, 20 Nov 2026 12:00:00 +0200",
    "20 Nov 26 10:00 GMT",
    "Fri, 20 Nov 2026 09:59:59 -0100",
    "Thu, 19 Nov 2026 23:00:00 EST",
    "hier",
)


def corpus(seed: int) -> list[tuple[bytes, str]]:
    """Sixty letters and their days of arrival, some of which answer others, are missing, or have a twin's name."""
    chance = random.Random(seed)
    found = []
    for at in range(60):
        lines = [f"From: {chance.choice(PEOPLE)}"]
        lines += [f"{name}: {chance.choice(PEOPLE)}" for name in ("To", "Cc") if chance.random() < 0.8]
        lines += [f"Subject: {chance.choice(SUBJECTS)}"] if chance.random() < 0.95 else []
        lines += [f"Date: {chance.choice(DATES)}"] if chance.random() < 0.9 else []
        if chance.random() < 0.9:
            lines.append(f"Message-ID: <{chance.randrange(at + 1)}.m@example.org>")
        if chance.random() < 0.6:
            names = sorted({chance.randrange(70) for _ in range(chance.randrange(1, 5))})
            lines.append("References: " + "\r\n ".join(f"<{one}.m@example.org>" for one in names))
        elif chance.random() < 0.3:
            lines.append(f"In-Reply-To: <{chance.randrange(70)}.m@example.org>")
        letter = "\r\n".join([*lines, "", "x" * chance.randrange(5), ""])
        found.append((letter.encode(), f'"{chance.randrange(1, 28):2d}-Oct-2026 10:00:00 +0000"'))
    return found


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Imap, Imap]]:
    """Dovecot and the gateway, each with the corpus selected."""
    require_program("dovecot")
    with tempfile.TemporaryDirectory() as folder, Oracle(Path(folder)) as oracle:
        (Path(folder) / "door").mkdir()
        with gateway_in_thread(Path(folder) / "door") as served:
            yield _filled(oracle._imap), _filled(_session(served))


def _session(served: Served) -> Imap:
    return served.imap(served.account("PER"))


def _filled(imap: Imap) -> Imap:
    imap.ok("CREATE awkward")
    for letter, day in corpus(1):
        assert imap.append("awkward", letter, day).startswith(b"OK")
    imap.ok("SELECT awkward")
    return imap


@pytest.mark.req("IMP-1")
@pytest.mark.parametrize(
    "criteria",
    [
        "ARRIVAL",
        "CC",
        "DATE",
        "FROM",
        "SIZE",
        "SUBJECT",
        "TO",
        "DISPLAYFROM",
        "DISPLAYTO",
        "REVERSE DATE",
        "REVERSE SUBJECT REVERSE FROM",
        "SUBJECT DATE",
        "DISPLAYTO REVERSE SIZE CC",
    ],
)
def test_sort_as_dovecot_does(pair: tuple[Imap, Imap], criteria: str) -> None:
    """The same numbers in the same order."""
    said = [one.ok(f"SORT ({criteria}) UTF-8 ALL")[0] for one in pair]
    assert said[0] == said[1]


@pytest.mark.req("IMP-1")
@pytest.mark.parametrize("algorithm", ["REFERENCES", "ORDEREDSUBJECT"])
@pytest.mark.parametrize("keys", ["ALL", "UNSEEN 1:30", "SUBJECT bilan"])
def test_thread_as_dovecot_does(pair: tuple[Imap, Imap], algorithm: str, keys: str) -> None:
    """The same threads."""
    said = [one.ok(f"THREAD {algorithm} UTF-8 {keys}")[0] for one in pair]
    assert said[0] == said[1]
