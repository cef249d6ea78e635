"""STATUS over sockets: counters that are kept are those that would be counted (RFC 9051 section 6.3.11)."""

from __future__ import annotations

import random

import pytest

from mss_gateway.imapd.statuses import Statuses
from mss_gateway.ports.mailboxes import FolderStatus, Viewer
from tests.support.doors import Served
from tests.support.team import Team, held_team
from tests.support.wires import Imap

pytestmark = pytest.mark.req("IMP-1")

LETTER = b"Subject: essai\r\n\r\ntexte\r\n"
ITEMS = "(MESSAGES UNSEEN DELETED SIZE UIDNEXT HIGHESTMODSEQ)"


@pytest.fixture(scope="module")
def org(door: Served) -> Team:
    """An ORG box for the whole file: Alix holds it."""
    return held_team(door)


def counted(imap: Imap, name: str) -> list[bytes]:
    """The STATUS answer."""
    return [line for line in imap.ok(f"STATUS {name} {ITEMS}") if line.startswith(b"* STATUS")]


def test_a_folder_that_has_not_changed_is_not_counted_again(
    door: Served, org: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for each who has a \\Seen of their own, until something happens to it."""
    store = door.parts.store
    count = store.status
    asked: list[int] = []

    async def status(folder_id: int, viewer: Viewer) -> FolderStatus:
        asked.append(viewer.person_id)
        found: FolderStatus = await count(folder_id, viewer)
        return found

    monkeypatch.setattr(store, "status", status)
    alix, bo = door.imap(org.alix), door.imap(org.bo)
    alix.ok("CREATE compte")
    alix.append("compte", LETTER)
    told = [counted(one, "compte") for one in (alix, alix, bo, bo, alix)]
    assert all(line == told[0] for line in told)
    assert len(asked) == len(set(asked)) == 2
    bo.ok("SELECT compte")
    bo.ok("STORE 1 +FLAGS.SILENT (\\Seen)")
    assert b" UNSEEN 0 " in counted(bo, "compte")[0]
    assert b" UNSEEN 1 " in counted(alix, "compte")[0]
    assert len(asked) == 4


@pytest.mark.parametrize("seed", range(3))
def test_kept_counters_are_those_of_the_folder(
    door: Served, org: Team, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After anything that can happen to two folders, what each member is told is what one would count."""
    chance = random.Random(seed)
    people = [door.imap(org.alix), door.imap(org.bo)]
    names = [f"etat{seed}a", f"etat{seed}b"]
    for name in names:
        people[0].ok(f"CREATE {name}")
    for _ in range(40):
        who, name, other = chance.choice(people), *chance.sample(names, 2)
        match chance.randrange(7):
            case 0 | 1:
                who.append(name, LETTER, chance.choice(["", "(\\Seen)", "(\\Deleted)"]))
            case 2 | 3:
                flags = chance.choice(["+FLAGS (\\Seen)", "-FLAGS (\\Seen)", "+FLAGS (\\Deleted)"])
                who.ok(f"SELECT {name}")
                who.ok(f"UID STORE 1:* {flags}")
            case 4:
                who.ok(f"SELECT {name}")
                who.ok(f"UID {chance.choice(['COPY', 'MOVE'])} 1:{chance.randrange(1, 9)} {other}")
            case 5:
                who.ok(f"SELECT {name}")
                who.ok("EXPUNGE")
            case _:
                who.run("CLOSE")
        for one in people:
            for asked in names:
                kept = counted(one, asked)
                with monkeypatch.context() as patch:
                    patch.setattr(door.parts.hub, "statuses", Statuses())
                    assert kept == counted(one, asked)
