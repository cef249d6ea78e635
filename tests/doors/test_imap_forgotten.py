"""QRESYNC from before what the gateway remembers: everything that is gone is told, nothing that is there (RFC 7162)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.doors import Served
from tests.support.folders import fetches, filled, number_after, remove
from tests.support.wires import Imap

pytestmark = pytest.mark.req("IMP-1", "OPS-5")
NOW = 2_000_000_000.0


@pytest.fixture
def imap(door: Served) -> Iterator[Imap]:
    """A client that knows QRESYNC."""
    imap = door.imap(door.account("PER"))
    imap.ok("ENABLE QRESYNC")
    yield imap
    imap.close()


async def _forget_all(served: Served) -> int:
    rounds = served.parts.store.forget_expunges(NOW, 0.0, 0)
    return sum([tidied.rows async for tidied in rounds])


def test_who_comes_back_from_long_ago_is_told_of_all_that_is_gone(door: Served, imap: Imap) -> None:
    """One set of runs, cut to what the client says it knows; from after that, exactly what went since (section 5)."""
    name = filled(imap, 9)
    answers = imap.ok(f"SELECT {name}")
    validity = number_after(b"UIDVALIDITY", answers)
    remove(imap, "2")
    before = number_after(b"HIGHESTMODSEQ", imap.ok(f"SELECT {name}"))
    remove(imap, "4:5")
    remove(imap, "3")
    since = number_after(b"HIGHESTMODSEQ", imap.ok(f"SELECT {name}"))
    assert door.call(_forget_all(door)) >= 4
    remove(imap, "8")
    imap.ok("UNSELECT")
    answers = imap.ok(f"SELECT {name} (QRESYNC ({validity} {before}))")
    assert b"* 4 EXISTS" in answers
    assert [line for line in answers if b"VANISHED" in line] == [b"* VANISHED (EARLIER) 2:5,8"]
    assert fetches(answers) == []
    answers = imap.ok(f"SELECT {name} (QRESYNC ({validity} {before} 1,3:4,6:9))")
    assert [line for line in answers if b"VANISHED" in line] == [b"* VANISHED (EARLIER) 3:4,8"]
    answers = imap.ok(f"SELECT {name} (QRESYNC ({validity} {since}))")
    assert [line for line in answers if b"VANISHED" in line] == [b"* VANISHED (EARLIER) 8"]
    answers = imap.ok(f"UID FETCH 4:* (FLAGS) (CHANGEDSINCE {before} VANISHED)")
    assert answers == [b"* VANISHED (EARLIER) 4:5,8"]


def test_a_session_that_slept_hears_of_all_that_went(door: Served, imap: Imap) -> None:
    """Its own view says which of them it still counts."""
    other = door.imap(door.account("PER"))
    name = filled(other, 4)
    imap.ok(f"SELECT {name}")
    other.ok(f"SELECT {name}")
    remove(other, "1")
    remove(other, "3")
    door.call(_forget_all(door))
    assert imap.ok("NOOP") == [b"* VANISHED 1,3"]
    other.close()
