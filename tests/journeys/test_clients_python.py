"""The libraries that software is written with: imaplib, imapclient, aioimaplib."""

from __future__ import annotations

import asyncio
import imaplib
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import aioimaplib
import imapclient
import pytest

from mss_gateway.dev.handout import Account
from mss_gateway.ports.records import BoxChoices
from tests.support.clients import ACCENTS, NAME, contents, deliver, imap_of, verifying
from tests.support.doors import Served
from tests.support.journeys import letter
from tests.support.members import CHIEF, LINE, practice

pytestmark = pytest.mark.foreign
DATE = datetime(2026, 11, 20, 8, 30, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.req("IMP-1", "ACC-1")
def test_imaplib_appends_searches_and_works_by_uid(served: Served) -> None:
    """A date, flags and every octet are kept; a search for accents goes as a literal; COPY, MOVE, EXPUNGE by UID."""
    account = served.account("PER")
    _, data = letter(account.address, account.address, "Prélèvement", ACCENTS)
    with imap_of(served, account) as imap:
        for _ in range(3):
            assert imap.append("Drafts", r"(\Draft \Seen)", DATE, data)[0] == "OK"
        assert imap.select("Drafts") == ("OK", [b"3"])
        uids = imap.uid("SEARCH", "ALL")[1][0].split()
        assert len(uids) == 3
        imap.literal = "prélèv".encode()
        assert imap.uid("SEARCH", "CHARSET", "UTF-8", "SUBJECT")[1] == [b" ".join(uids)]
        assert imap.uid("SEARCH", "SENTON", "20-Nov-2026", "UNFLAGGED", "SMALLER", "9999")[1] != [b""]
        _, fetched = imap.uid("FETCH", uids[0].decode(), "(INTERNALDATE FLAGS RFC822.SIZE BODY.PEEK[])")
        assert fetched[0][1] == data
        assert b"RFC822.SIZE %d" % len(data) in fetched[0][0]
        assert imaplib.Internaldate2tuple(fetched[0][0]) == time.localtime(DATE.timestamp())
        assert imap.uid("STORE", uids[0].decode(), "+FLAGS", r"(\Flagged $Relu)")[0] == "OK"
        assert imap.uid("COPY", uids[0].decode(), "Archive")[0] == "OK"
        assert imap.uid("MOVE", uids[1].decode(), "Trash")[0] == "OK"
        assert imap.uid("STORE", uids[2].decode(), "+FLAGS", r"(\Deleted)")[0] == "OK"
        assert imap.expunge()[0] == "OK"
        assert imap.uid("SEARCH", "ALL")[1] == [uids[0]]
        assert imap.close()[0] == "OK"
    (copy,) = contents(served, account, "Archive")
    assert copy.octets == data
    assert copy.flags >= {"\\Draft", "\\Seen", "\\Flagged", "$Relu"}
    assert [one.octets for one in contents(served, account, "Trash")] == [data]


@pytest.mark.req("IMP-1")
def test_imaplib_with_utf8_enabled(served: Served) -> None:
    """8-bit header fields go out as they came, and folder names and searches are written in UTF-8."""
    account = served.account("PER")
    _, data = letter(account.address, account.address, "Compte rendu : été", ACCENTS)
    with imap_of(served, account) as imap:
        assert imap.append("Drafts", "", "", data)[0] == "OK"  # before: enabled, it spoils what it appends
        assert imap.enable("UTF8=ACCEPT")[0] == "OK"
        assert imap.create('"Été 2026"')[0] == "OK"
        assert imap.select("Drafts") == ("OK", [b"1"])
        assert imap.copy("1", '"Été 2026"')[0] == "OK"
        assert imap.select('"Été 2026"') == ("OK", [b"1"])
        assert imap.search(None, 'SUBJECT "été"')[1] == [b"1"]
        assert imap.fetch("1", "(BODY.PEEK[])")[1][0][1] == data
        assert any("Été 2026".encode() in line for line in imap.list()[1])


def logged_in(served: Served, account: Account) -> imapclient.IMAPClient:
    """imapclient over IMAPS; a context manager."""
    port, context = served.handout.ports.imaps, verifying(served.handout)
    client = imapclient.IMAPClient(NAME, port, ssl_context=context, timeout=60)
    client.login(account.login, account.password)
    return client


@pytest.fixture
def client(served: Served) -> Iterator[imapclient.IMAPClient]:
    """The professional's mailbox over STARTTLS."""
    account = served.account("PER")
    with imapclient.IMAPClient(NAME, served.handout.ports.imap, ssl=False, timeout=60) as client:
        client.starttls(verifying(served.handout))
        client.login(account.login, account.password)
        yield client


@pytest.mark.req("IMP-1", "IMP-3", "ACC-1")
def test_imapclient_reads_structure_and_moves_while_another_idles(
    served: Served, client: imapclient.IMAPClient
) -> None:
    """ENVELOPE, BODYSTRUCTURE and sections as the library parses them; an idling session is told of the MOVE."""
    account = served.account("PER")
    octets = deliver(served, account, "Analyse")
    with logged_in(served, account) as idler:
        idler.select_folder("INBOX")
        client.select_folder("INBOX")
        (uid,) = client.search(["SUBJECT", "Analyse", "UNSEEN"])
        items = ["ENVELOPE", "BODYSTRUCTURE", "BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]", "RFC822.SIZE"]
        found = client.fetch([uid], items)[uid]
        assert found[b"ENVELOPE"].subject == b"Analyse"
        assert str(found[b"ENVELOPE"].to[0]) == account.address
        assert found[b"BODYSTRUCTURE"][:3] == (b"text", b"plain", (b"charset", b"utf-8"))
        assert found[b"BODY[HEADER]"] + found[b"BODY[TEXT]"] == octets
        assert found[b"RFC822.SIZE"] == len(octets)
        idler.idle()
        client.move([uid], "Archive")
        assert idler.idle_check(timeout=60) == [(1, b"EXPUNGE")]
        idler.idle_done()
        assert idler.search() == []
    assert [one.octets for one in contents(served, account, "Archive")] == [octets]


@pytest.mark.req("IMP-1", "ACC-1")
async def test_aioimaplib_is_told_while_it_idles(served: Served) -> None:
    """Login, IDLE, a push for a delivery, the message octet for octet, a flag and a move, all on one loop."""
    account = served.account("PER")
    port = served.handout.ports.imaps
    client = aioimaplib.IMAP4_SSL(NAME, port, timeout=60, ssl_context=verifying(served.handout))
    await client.wait_hello_from_server()
    assert (await client.login(account.login, account.password)).result == "OK"
    assert (await client.select("INBOX")).result == "OK"
    idle = await client.idle_start(timeout=90)
    octets = await asyncio.to_thread(deliver, served, account, "Urgent")
    assert b"1 EXISTS" in await client.wait_server_push(timeout=60)
    client.idle_done()
    await asyncio.wait_for(idle, 60)
    found = await client.uid_search("SUBJECT", "Urgent", charset=None)
    uid = found.lines[0].decode()
    fetched = await client.uid("fetch", uid, "(FLAGS BODY.PEEK[])")
    assert bytes(fetched.lines[1]) == octets
    assert (await client.uid("store", uid, "+FLAGS", r"(\Flagged)")).result == "OK"
    assert (await client.move(uid, "Archive")).result == "OK"
    answer = await client.append(octets, "Drafts", flags=r"\Draft")
    assert answer.result == "OK"
    assert (await client.logout()).result == "OK"
    archived, drafts = contents(served, account, "Archive"), contents(served, account, "Drafts")
    assert [(one.flags, one.octets) for one in archived] == [(frozenset({"\\Flagged"}), octets)]
    assert [(one.flags, one.octets) for one in drafts] == [(frozenset({"\\Draft"}), octets)]


@pytest.mark.req("IMP-1")
def test_imapclient_appends_several_at_once(served: Served, client: imapclient.IMAPClient) -> None:
    """MULTIAPPEND: all of them, in their order, with their own flags and octets."""
    account = served.account("PER")
    letters = [letter(account.address, account.address, f"Envoi {number}", ACCENTS)[1] for number in range(3)]
    first = {"msg": letters[0], "flags": [imapclient.FLAGGED], "date": DATE}
    client.multiappend("Archive", [first, *letters[1:]])
    kept = contents(served, account, "Archive")
    assert [one.octets for one in kept] == letters
    assert [one.flags for one in kept] == [{"\\Flagged"}, set(), set()]


@pytest.mark.req("IMP-1", "BAL-3", "BAL-9")
def test_imapclient_reads_quota_and_gives_rights(served: Served) -> None:
    """QUOTA counts messages and KiB; the chief of a team takes a member's right to write, and it is gone."""
    team = practice(served, "anne")
    chief, anne = team.accounts[CHIEF], team.accounts["anne"]
    limits = BoxChoices(quota_bytes=1 << 20, quota_messages=50)
    served.call(served.parts.store.set_box_choices(team.box.id, limits, LINE))
    _, data = letter(chief.address, chief.address, "Pour l'équipe", ACCENTS * 40)
    with logged_in(served, chief) as leading, logged_in(served, anne) as member:
        member.append("INBOX", data)
        quotas = {one.resource: (one.usage, one.limit) for one in leading.get_quota("INBOX")}
        assert quotas == {"STORAGE": (-(-len(data) // 1024), 1024), "MESSAGE": (1, 50)}
        assert b"i" in dict(leading.getacl("INBOX"))[anne.login.encode()]
        leading.setacl("INBOX", anne.login, "lrs")
        assert dict(leading.getacl("INBOX"))[anne.login.encode()] == b"lrs"
        with pytest.raises(imapclient.exceptions.IMAPClientError, match="NOPERM"):
            member.append("INBOX", data)
        member.select_folder("INBOX", readonly=True)
        assert member.fetch([1], ["BODY.PEEK[]"])[1][b"BODY[]"] == data


@pytest.mark.req("IMP-1")
def test_imapclient_sorts_and_threads(served: Served, client: imapclient.IMAPClient) -> None:
    """SORT by subject, reversed date and size; a conversation is one thread, whatever its order in the folder."""
    address = served.account("PER").address
    question, asked = letter(address, address, "Question sur le dossier")
    _, other = letter(address, address, "Autre sujet", "Plus long.\r\n" * 20)
    _, answer = letter(address, address, "Re: Question sur le dossier", "Oui.\r\n" * 5)
    answer = answer.replace(b"MIME-Version", b"References: " + question.encode() + b"\r\nMIME-Version")
    for data in (answer, other, asked):
        client.append("Archive", data)
    client.select_folder("Archive", readonly=True)
    assert client.sort("SUBJECT") == [2, 1, 3]
    assert client.sort(["REVERSE SIZE"], ["NOT", "DELETED"]) == [2, 1, 3]
    assert client.sort("ARRIVAL", ["SUBJECT", "dossier"]) == [1, 3]
    assert client.thread("REFERENCES") == ((2,), (3, 1))
