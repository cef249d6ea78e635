"""Thunderbird on a screen of its own: it reads, flags, moves and sends, and leaves a picture of it."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.clients import ACCENTS, append, awaited, contents, deliver, unix
from tests.support.doors import Served
from tests.support.journeys import letter
from tests.support.members import CHIEF, practice
from tests.support.thunderbird import SCREEN, Thunderbird

pytestmark = [pytest.mark.foreign, pytest.mark.timeout(600)]
ARTEFACTS = Path(os.environ.get("ARTEFACTS") or Path(__file__).parents[2] / "build" / "artefacts")
FOLDER, FOLDER_IN_UTF7 = "Été 2026 & après", "&AMk-t&AOk- 2026 &- apr&AOg-s"
SUBJECT = "Compte rendu d'hospitalisation"


@pytest.fixture
def thunderbird(tmp_path: Path) -> Iterator[Thunderbird]:
    """A started one without any account."""
    program = Thunderbird(tmp_path)
    try:
        program.start()
        yield program
    finally:
        program.close()


@contextmanager
def photographed(thunderbird: Thunderbird, name: str) -> Iterator[None]:
    """Leave a picture of the last view for people to look at, of a failure too; it holds no message of anybody."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        (ARTEFACTS / f"{name}-failed.png").write_bytes(thunderbird.screenshot())
        raise
    picture = thunderbird.screenshot()
    (ARTEFACTS / f"{name}.png").write_bytes(picture)
    assert struct.unpack(">II", picture[16:24]) == SCREEN  # of its IHDR
    assert len(picture) > 30_000  # an empty window has a third of that


@pytest.mark.req("IMP-1", "IMP-3", "ACC-1")
def test_thunderbird_reads_flags_moves_and_sends(served: Served, thunderbird: Thunderbird) -> None:
    """IMAPS and submission with STARTTLS; mail that comes while it looks is pushed; every octet stays."""
    with photographed(thunderbird, "thunderbird"):
        reads_and_files(served, thunderbird)
        sends(served, thunderbird)
        thunderbird.read("Archive", SUBJECT)
    assert thunderbird.refusals() == []


def reads_and_files(served: Served, thunderbird: Thunderbird) -> None:
    """What came before and what comes meanwhile is shown; a flag and a move arrive at the gateway."""
    doctor = served.account("PER")
    octets = deliver(served, doctor, SUBJECT)
    thunderbird.add_account(served.handout, doctor)
    assert "déjà prêts, 12 €" in thunderbird.read("Inbox", SUBJECT)
    assert awaited(lambda: contents(served, doctor)[0].flags == {"\\Seen"})

    thunderbird.create(FOLDER)
    pushed = deliver(served, doctor, "Pendant la lecture")
    assert "À bientôt" in thunderbird.read("Inbox", "Pendant la lecture")

    thunderbird.move("Inbox", FOLDER, "Pendant la lecture")
    thunderbird.read("Inbox", SUBJECT)
    thunderbird.flag()
    thunderbird.move("Inbox", "Archive", SUBJECT)
    moved = awaited(lambda: contents(served, doctor, "Archive"))
    assert [(one.flags, one.octets) for one in moved] == [(frozenset({"\\Seen", "\\Flagged"}), octets)]
    filed = contents(served, doctor, FOLDER_IN_UTF7)
    assert [(one.flags, one.octets) for one in filed] == [(frozenset({"\\Seen"}), pushed)]
    assert contents(served, doctor) == []


def sends(served: Served, thunderbird: Thunderbird) -> None:
    """A letter from the composer arrives, and its copy in Sent has the octets that were sent."""
    doctor, office = served.account("PER"), served.account("ORG")
    thunderbird.send(office.address, "Réponse de l'équipe", "À demain, déjà prêt.\n.\nfin\n")
    came = awaited(lambda: contents(served, office))
    copies = awaited(lambda: contents(served, doctor, "Sent"))
    assert len(came) == len(copies) == 1
    assert b"User-Agent: Mozilla Thunderbird" in came[0].octets
    assert unix(came[0].octets).endswith("\n\nÀ demain, déjà prêt.\n.\nfin\n".encode())
    assert came[0].octets.endswith(copies[0].octets)  # below our trace fields
    assert copies[0].flags == {"\\Seen"}


@pytest.mark.req("IMP-1", "BAL-3", "ACC-1")
def test_thunderbird_shows_the_boxes_of_the_team(served: Served, thunderbird: Thunderbird) -> None:
    """The shared box stands in the tree without a click; what one member reads is read for that member alone."""
    team = practice(served, "anne", own=("anne",))
    anne, chief = team.accounts["anne"], team.accounts[CHIEF]
    inbox = f"Shared/{team.box.address}/INBOX"
    with photographed(thunderbird, "thunderbird-shared"):
        thunderbird.add_account(served.handout, replace(anne, address=f"{anne.login}@essai.example"))
        thunderbird.open("Inbox")  # the tree comes with the first visit
        append(served, chief, "INBOX", letter(chief.address, chief.address, "Pour l'équipe", ACCENTS)[1])
        assert "déjà prêts" in thunderbird.read(inbox, "Pour l'équipe")
        append(served, chief, "INBOX", letter(chief.address, chief.address, "Pour l'équipe aussi")[1])
        assert "Bonjour" in thunderbird.read(inbox, "Pour l'équipe aussi")
        thunderbird.flag()
        assert awaited(lambda: [one.flags for one in contents(served, chief)] == [set(), {"\\Flagged"}])
        read = [{"\\Seen"}, {"\\Seen", "\\Flagged"}]
        assert awaited(lambda: [one.flags for one in contents(served, anne, inbox)] == read)
    assert thunderbird.refusals() == []
