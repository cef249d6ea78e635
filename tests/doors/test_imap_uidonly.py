"""UIDONLY over sockets: a client for which messages have no numbers (RFC 9586)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.doors import Served
from tests.support.folders import fetches, filled, number_after, remove
from tests.support.letters import letter
from tests.support.wires import Imap, literal

pytestmark = pytest.mark.req("IMP-1")


@pytest.fixture
def imap(door: Served) -> Iterator[Imap]:
    """A client that has enabled UIDONLY, in a folder with UIDs 3 to 5."""
    imap = door.imap(door.account("PER"))
    name = filled(imap, 5)
    imap.ok(f"SELECT {name}")
    remove(imap, "1:2")
    assert b"* ENABLED UIDONLY" in imap.ok("ENABLE UIDONLY")
    yield imap
    imap.close()


@pytest.mark.parametrize(
    "command",
    [
        "FETCH 1 (FLAGS)",
        "STORE 1 +FLAGS (\\Seen)",
        "COPY 1 Trash",
        "MOVE 1 Trash",
        "FETCH * (UID)",
        "SEARCH ALL",
        "UID SEARCH 1:3",
        "UID SEARCH NOT (OR SEEN *)",
    ],
)
def test_commands_by_number_are_refused(imap: Imap, command: str) -> None:
    """Tagged BAD with UIDREQUIRED, and nothing has happened (section 3)."""
    assert imap.ending(command).startswith(b"BAD [UIDREQUIRED]")
    assert imap.ok("UID FETCH 3:5 (FLAGS)") == [b"* %d UIDFETCH (FLAGS ())" % uid for uid in (3, 4, 5)]


def test_answers_carry_uids_alone(imap: Imap) -> None:
    """UIDFETCH for what is asked, stored and streamed; the UID is not said twice (section 3.3)."""
    assert imap.ok("UID FETCH 3:* (UID FLAGS)") == [b"* %d UIDFETCH (FLAGS ())" % uid for uid in (3, 4, 5)]
    assert imap.ok("UID FETCH 4 (UID)") == [b"* 4 UIDFETCH (UID 4)"]
    assert imap.ok("UID STORE 3 +FLAGS (\\Seen)") == [b"* 3 UIDFETCH (FLAGS (\\Seen))"]
    (line,) = imap.ok("UID FETCH 5 (BODY[])")
    assert line.startswith(b"* 5 UIDFETCH (BODY[] {")
    assert line.endswith(b" FLAGS (\\Seen))")
    assert literal(line).endswith(b"Bonjour.\r\n")
    assert imap.ok("UID SEARCH UID 4:*") == [b"* SEARCH 4 5"]
    assert imap.ok("UID COPY 3 Trash") == []
    copied, vanished = imap.ok("UID MOVE 4 Trash")
    assert copied.startswith(b"* OK [COPYUID ")
    assert vanished == b"* VANISHED 4"
    imap.ok("UID STORE 5 +FLAGS.SILENT (\\Deleted)")
    assert imap.ok("EXPUNGE") == [b"* VANISHED 5"]


def test_news_of_others_carry_uids_alone(door: Served, imap: Imap) -> None:
    """Flags as UIDFETCH, expunges as VANISHED, though QRESYNC is not enabled; EXISTS stays (sections 3.3 to 3.6)."""
    folders = [line.split()[-1].decode() for line in imap.ok('LIST "" "filled-*"')]
    name = max(folders, key=lambda text: int(text.rsplit("-", 1)[1]))
    other = door.imap(door.account("PER"), select=name)
    other.ok("UID STORE 4 +FLAGS (\\Flagged)")
    remove(other, "3")
    other.append(name, letter())
    assert imap.ok("NOOP") == [b"* VANISHED 3", b"* 3 EXISTS", b"* 4 UIDFETCH (FLAGS (\\Flagged))"]
    answers = imap.ok(f"SELECT {name}")
    assert b"* 3 EXISTS" in answers
    assert not any(b"[UNSEEN" in line for line in answers)
    other.close()


def test_resynchronising_by_uid(imap: Imap) -> None:
    """SELECT (QRESYNC ...) answers with UIDFETCH; match data hold numbers and are refused (section 3.7)."""
    imap.ok("ENABLE QRESYNC")
    name = filled(imap, 2)
    answers = imap.ok(f"SELECT {name}")
    validity = number_after(b"UIDVALIDITY", answers)
    assert imap.ending(f"SELECT {name} (QRESYNC ({validity} 1 1:2 (1 1)))").startswith(b"BAD [UIDREQUIRED]")
    remove(imap, "1")
    answers = imap.ok(f"SELECT {name} (QRESYNC ({validity} 1))")
    assert b"* VANISHED (EARLIER) 1" in answers
    (line,) = fetches(answers)
    assert line.startswith(b"* 2 UIDFETCH (FLAGS () MODSEQ (")
    tagged = imap.ending("UID STORE 2 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)")
    assert tagged.startswith(b"OK [MODIFIED 2]")
