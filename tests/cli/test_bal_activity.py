"""`bal activity` tells who did what in a shared mailbox, and `bal show` what each may do (BAL-3)."""

from __future__ import annotations

import asyncio

import pytest

from mss_gateway.ports.mailboxes import FlagChange, NewAppend, Viewer
from mss_gateway.settings import load
from mss_gateway.storage.sqlite import SqliteStore
from tests.support.commands import Site
from tests.support.store import body

pytestmark = pytest.mark.req("BAL-3")

MESSAGE = "<285037728417346.essai@logiciel.example>"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The sample's mailboxes, no gateway running; a member of the ORG box has read a message and flagged it."""
    found = Site(tmp_path_factory.mktemp("site"))
    asyncio.run(_read(found))
    return found


async def _read(site: Site) -> None:
    account = site.handout.account("ORG")
    store = SqliteStore(load(site.config, {}).store)
    await store.open()
    try:
        (box,) = [one for one in await store.boxes() if one.address == account.address]
        member = await store.person(account.login)
        assert member is not None
        viewer = Viewer(member.id, shared=True)
        folder = (await store.folders(box.id))[0].id
        await store.append(folder, Viewer(0), [NewAppend(body(message_id=MESSAGE), frozenset(), 0.0)])
        for flag in ("\\Seen", "\\Flagged"):
            await store.store_flags(folder, viewer, [1], FlagChange.ADD, frozenset({flag}))
    finally:
        await store.close()


def test_who_did_what(site: Site) -> None:
    """The latest first, under the member's name, the INS in a Message-ID masked."""
    account = site.handout.account("ORG")
    answer = site.json("bal", "activity", account.address)
    assert [one["act"] for one in answer["activity"]] == ["flagged", "read"]
    assert {one["login"] for one in answer["activity"]} == {account.login}
    assert all(one["name"] for one in answer["activity"])
    assert "285037728417346" not in str(answer)
    assert answer["more"] is False
    said = site.run("bal", "activity", account.address)[1]
    assert "flagged" in said
    assert "285037728417346" not in said


def test_what_may_be_asked(site: Site) -> None:
    """One message, in any spelling; from a day on; so many."""
    address = site.handout.account("ORG").address
    for message_id, count in ((MESSAGE, 2), (MESSAGE.strip("<>"), 2), ("<autre@exemple.fr>", 0)):
        answer = site.json("bal", "activity", address, "--message-id", message_id)
        assert len(answer["activity"]) == count, message_id
    assert site.json("bal", "activity", address, "--since", "2999-01-01")["activity"] == []
    assert len(site.json("bal", "activity", address, "--since", "2020-01-01T08:30")["activity"]) == 2
    answer = site.json("bal", "activity", address, "--limit", "1")
    assert (len(answer["activity"]), answer["more"]) == (1, True)
    assert "There is more" in site.run("bal", "activity", address, "--limit", "1")[1]


@pytest.mark.parametrize(
    ("kind", "words", "status"),
    [
        ("ORG", ("--since", "demain"), 2),
        ("ORG", ("--limit", "0"), 2),
        ("ORG", ("--limit", "5001"), 2),
        ("PER", (), 4),
    ],
)
def test_refusals(site: Site, kind: str, words: tuple[str, ...], status: int) -> None:
    """Exit codes of the guide; a mailbox with one owner keeps nothing."""
    assert site.run("bal", "activity", site.handout.account(kind).address, *words)[0] == status


def test_nobody_of_that_address(site: Site) -> None:
    domain = site.handout.account("ORG").address.partition("@")[2]
    assert site.run("bal", "activity", f"personne@{domain}")[0] == 3


def test_members_are_shown_with_their_rights(site: Site) -> None:
    """What holds in every folder for which nothing else was said."""
    account = site.handout.account("ORG")
    (member,) = [
        one
        for one in site.json("bal", "show", account.address)["bal"]["people"]
        if one["login"] == account.login
    ]
    assert {"l", "r", "s"} <= set(member["rights"])
    (holder,) = site.json("bal", "show", site.handout.account("PER").address)["bal"]["people"]
    assert holder["rights"] == "lrswipkxtea"
