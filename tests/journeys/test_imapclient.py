"""imapclient uses what we announce: IDLE, MOVE, UIDPLUS, CONDSTORE, SPECIAL-USE, NAMESPACE, ID."""

from __future__ import annotations

from collections.abc import Iterator

import imapclient
import pytest

from mss_gateway.dev.handout import Account
from tests.support.clients import submit
from tests.support.journeys import HOST, letter, trusting
from tests.support.process import GatewayProcess


def opened(gateway: GatewayProcess, account: Account) -> imapclient.IMAPClient:
    """A client that is logged in over STARTTLS."""
    client = imapclient.IMAPClient(HOST, gateway.handout.ports.imap, ssl=False)
    client.starttls(trusting(gateway.handout))
    client.login(account.login, account.password)
    return client


@pytest.fixture
def client(gateway: GatewayProcess) -> Iterator[imapclient.IMAPClient]:
    """The professional's mailbox."""
    with opened(gateway, gateway.handout.account("PER")) as client:
        yield client


def test_what_is_announced_after_login(client: imapclient.IMAPClient) -> None:
    """Everything that the issue of this stage names."""
    wanted = (
        "IMAP4REV1 IMAP4REV2 IDLE UIDPLUS MOVE SPECIAL-USE NAMESPACE ID ENABLE UNSELECT ESEARCH SASL-IR CHILDREN"
        " LIST-EXTENDED STATUS=SIZE CONDSTORE UTF8=ACCEPT"
    )
    announced = {name.decode().upper() for name in client.capabilities()}
    assert set(wanted.split()) <= announced
    assert announced & {"LITERAL+", "LITERAL-"}
    assert any(name.startswith("APPENDLIMIT=") for name in announced)
    assert client.id_({"name": "journeys"})[0]
    assert client.namespace().personal == (("", "/"),)


@pytest.mark.req("IMP-3")
def test_special_folders_are_found(client: imapclient.IMAPClient) -> None:
    """A client finds Sent, Drafts, Trash, Junk and Archive by their use."""
    for use in (b"\\Sent", b"\\Drafts", b"\\Trash", b"\\Junk", b"\\Archive"):
        assert client.find_special_folder(use)


def test_append_move_and_search(client: imapclient.IMAPClient) -> None:
    """A draft is appended, found, flagged, moved and deleted; UIDPLUS names it all the way."""
    message_id, data = letter("medecin@exemple.fr", "medecin@exemple.fr", "Brouillon à trouver")
    said = client.append("Drafts", data, [imapclient.DRAFT, imapclient.SEEN])
    assert b"APPENDUID" in said
    client.select_folder("Drafts")
    uids = client.search(["HEADER", "Message-ID", message_id])
    assert len(uids) == 1
    assert client.search(["SUBJECT", "a trouver"], "UTF-8") == uids
    assert client.fetch(uids, ["BODY.PEEK[]"])[uids[0]][b"BODY[]"] == data
    assert client.fetch(uids, ["ENVELOPE"])[uids[0]][b"ENVELOPE"].message_id.decode() == message_id
    client.add_flags(uids, [imapclient.FLAGGED, "$Relu"])
    assert set(client.get_flags(uids)[uids[0]]) == {b"\\Draft", b"\\Seen", b"\\Flagged", b"$Relu"}
    client.move(uids, "Trash")
    assert client.search(["HEADER", "Message-ID", message_id]) == []
    client.select_folder("Trash")
    moved = client.search(["HEADER", "Message-ID", message_id])
    client.delete_messages(moved)
    client.uid_expunge(moved)
    assert client.search(["HEADER", "Message-ID", message_id]) == []


def test_changes_since_a_mod_sequence(client: imapclient.IMAPClient) -> None:
    """CONDSTORE: only what changed comes back."""
    for index in range(3):
        client.append("Archive", letter("a@exemple.fr", "a@exemple.fr", f"n{index}")[1])
    modseq = client.select_folder("Archive")[b"HIGHESTMODSEQ"]
    uids = client.search("ALL")
    client.add_flags(uids[1:2], [imapclient.ANSWERED])
    changed = client.fetch(uids, ["FLAGS"], [f"CHANGEDSINCE {modseq}"])
    assert set(changed) == {uids[1]}


def test_idle_tells_of_new_mail(gateway: GatewayProcess, client: imapclient.IMAPClient) -> None:
    """A delivery is pushed while the client idles."""
    doctor = gateway.handout.account("PER")
    before = client.select_folder("INBOX")[b"EXISTS"]
    client.idle()
    submit(gateway.handout, letter(gateway.handout.app.address, doctor.address)[1], doctor.address)
    seen = client.idle_check(timeout=60)
    client.idle_done()
    assert (before + 1, b"EXISTS") in seen


@pytest.mark.req("BAL-3")
def test_each_member_has_their_own_seen(gateway: GatewayProcess) -> None:
    """What one member of an ORG mailbox has read is still new to the other; an answer mark is shared."""
    members = [account for account in gateway.handout.accounts if account.type == "ORG"]
    message_id, data = letter(gateway.handout.app.address, members[0].address)
    submit(gateway.handout, data, members[0].address)
    with opened(gateway, members[0]) as first, opened(gateway, members[1]) as second:
        for one in (first, second):
            one.select_folder("INBOX")
        uid = first.search(["HEADER", "Message-ID", message_id])
        first.add_flags(uid, [imapclient.SEEN, imapclient.ANSWERED])
        second.noop()
        assert second.get_flags(uid)[uid[0]] == (b"\\Answered",)
