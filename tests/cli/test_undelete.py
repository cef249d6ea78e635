"""`mss-gateway undelete …` beside a running gateway: what a mail client removed is there again (OPS-5, BAL-5)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from mss_gateway.dev.wire import tls
from tests.support.commands import Site
from tests.support.letters import letter, unique
from tests.support.process import GatewayProcess
from tests.support.wires import Imap


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway in a process of its own."""
    folder = tmp_path_factory.mktemp("undelete")
    served = GatewayProcess(folder)
    try:
        yield Site(folder, beside=served)
    finally:
        served.stop()


def mailbox(site: Site) -> Imap:
    """The sample professional's, logged in."""
    account = site.handout.account("PER")
    wire = Imap(site.handout.ports.imaps, tls(site.handout))
    wire.ok(f"LOGIN {account.login} {account.password}")
    return wire


def saved(wire: Imap, folder: str) -> str:
    """A message in a folder; its Message-ID."""
    message_id = unique()
    wire.append(folder, letter(message_id=message_id))
    return message_id


def found(wire: Imap, folder: str, message_id: str) -> list[bytes]:
    """UIDs of a message in a folder."""
    wire.ok(f'SELECT "{folder}"')
    answers = wire.ok(f"UID SEARCH HEADER Message-ID {message_id}")
    return next(line.split()[2:] for line in answers if line.startswith(b"* SEARCH"))


def expunge(wire: Imap, folder: str, message_id: str) -> None:
    """What a client does when somebody empties the trash."""
    (uid,) = found(wire, folder, message_id)
    wire.ok(f"UID STORE {uid.decode()} +FLAGS (\\Deleted)")
    wire.ok("EXPUNGE")
    assert found(wire, folder, message_id) == []


@pytest.mark.req("OPS-5")
def test_a_message_and_a_folder_come_back_into_the_open_mailbox(site: Site) -> None:
    """By the number in the list; by the folder's name; the trace says who and why, nobody sees a subject."""
    address = site.handout.account("PER").address
    wire = mailbox(site)
    lost = saved(wire, "INBOX")
    expunge(wire, "INBOX", lost)
    status, said = site.run("undelete", "list", address)
    assert status == 0
    assert lost.strip("<>") in said
    (one,) = site.json("undelete", "list", address, "--message", lost)["removed"]
    assert (one["folder"], one["how"], one["by"]) == ("INBOX", "message", address)
    assert "subject" not in one
    status, said = site.run("undelete", "message", address, str(one["id"]), "--reason", "essai")
    assert (status, "1 brought back to INBOX" in said) == (0, True)
    assert len(found(wire, "INBOX", lost)) == 1

    wire.ok('CREATE "Patients 2026"')
    inside = saved(wire, '"Patients 2026"')
    wire.ok("UNSELECT")
    wire.ok('DELETE "Patients 2026"')
    status, said = site.run("undelete", "folder", address, "Patients 2026", "--reason", "essai")
    assert (status, "1 brought back to Patients 2026" in said) == (0, True)
    assert len(found(wire, "Patients 2026", inside)) == 1
    wire.close()
    lines = site.json("trace", "--box", address, "--limit", "50")
    assert str(lines).count("'undeleted'") == 2


@pytest.mark.req("OPS-5")
def test_what_was_ended_cannot_come_back(site: Site) -> None:
    """`empty`: of one mailbox; then the list is empty, and a number that has gone is told."""
    address = site.handout.account("PER").address
    wire = mailbox(site)
    expunge(wire, "INBOX", saved(wire, "INBOX"))
    wire.close()
    number = site.json("undelete", "list", address)["removed"][0]["id"]
    assert site.json("undelete", "empty", address)["messages"] >= 1
    status, said = site.run("undelete", "list", address)
    assert (status, "kept for 30 days" in said) == (0, True)
    status, said = site.run("undelete", "message", address, str(number), "--reason", "essai")
    assert status == 3
    assert "None of these is kept any more" in said


@pytest.mark.req("OPS-5")
@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("list", "personne@clinique-exemple.mssante.fr"), 3, "There is no mailbox"),
        (("list", "pas une adresse"), 2, "address"),
        (("list", "{}", "--since", "hier"), 2, "is no date"),
        (("folder", "{}", "Absent", "--reason", "x"), 3, "Nothing of the folder Absent is kept"),
        (("empty",), 2, "Name a mailbox, or say --all"),
    ],
)
def test_what_cannot_be_done_is_told(site: Site, words: tuple[str, ...], status: int, told: str) -> None:
    """One sentence, and the exit code of its kind."""
    address = site.handout.account("PER").address
    found, said = site.run("undelete", *(word.format(address) for word in words))
    assert found == status
    assert told in re.sub(r"\s+", " ", said)


@pytest.mark.req("BAL-5")
def test_a_closed_mailbox_comes_back_until_it_is_purged(site: Site) -> None:
    """With its mail."""
    address = site.handout.account("CAB").address
    assert site.run("bal", "close", address, "--reason", "essai")[0] == 0
    status, said = site.run("undelete", "bal", address, "--reason", "fermée par erreur")
    assert status == 0
    assert "active" in said
    assert site.json("bal", "show", address)["bal"]["state"] == "active"
