"""`person …`, `structure …`: who logs in, what they hold, where they work (BAL-2, BAL-3, BAL-5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import Site

RPPS, OTHER = "810000000009", "810000000017"
FINESS = "1750000000"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """The sample's mailboxes, no gateway running."""
    return Site(tmp_path)


@pytest.mark.req("BAL-2")
def test_a_person_is_added_found_and_changed(site: Site) -> None:
    added = site.json("person", "add", "anne.essai", "--name", "Anne Essai", "--national-id", RPPS)["person"]
    assert (added["login"], added["national_id"], added["disabled"], added["password"]) == (
        "anne.essai",
        RPPS,
        False,
        False,
    )
    assert added["last_login_at"] is None
    assert (
        site.json("person", "show", RPPS)["person"]
        == added
        == site.json("person", "show", "Anne.ESSAI")["person"]
    )
    changed = site.json("person", "set", "anne.essai", "--login", "a.essai", "--national-id", OTHER)["person"]
    assert (changed["login"], changed["national_id"], changed["name"]) == ("a.essai", OTHER, "Anne Essai")
    assert site.run("person", "show", "anne.essai")[0] == 3
    site.json("person", "passwd", "a.essai", "--password", "motdepasse-essai-1")
    assert site.json("person", "show", "a.essai")["person"]["password"] is True
    logins = [one["login"] for one in site.json("person", "list")["persons"]]
    assert "a.essai" in logins
    assert logins == sorted(logins, key=str.lower)
    assert not any("@patient" in login for login in logins)


@pytest.mark.req("BAL-2")
def test_what_is_wrong_changes_nothing(site: Site) -> None:
    site.json("person", "add", "anne", "--national-id", RPPS)
    before = site.json("person", "list")
    cases: list[tuple[tuple[str, ...], int]] = [
        (("add", "b", "--national-id", "810000000008"), 2),
        (("add", "b", "--national-id", "712"), 2),
        (("add", "a b"), 2),
        (("add", "b", "--password", "court"), 2),
        (("add", "ANNE"), 4),
        (("add", "b", "--national-id", RPPS), 4),
        (("set", "anne"), 2),
        (("set", "nobody", "--name", "x"), 3),
        (("disable", "anne", "--reason", " "), 2),
        (("enable", "anne", "--reason", "x"), 4),
    ]
    assert [site.run("person", *words)[0] for words, _ in cases] == [status for _, status in cases]
    assert site.json("person", "list") == before


@pytest.mark.req("BAL-2")
def test_a_second_account_of_one_professional_is_asked_for(site: Site) -> None:
    site.json("person", "add", "anne", "--national-id", RPPS)
    site.json("person", "add", "anne.garde", "--national-id", RPPS, "--force")
    assert site.run("person", "show", RPPS)[0] == 4
    assert "anne, anne.garde" in site.run("person", "show", RPPS)[1]


@pytest.mark.req("BAL-5")
def test_a_disabled_holder_suspends_their_mailbox_and_takes_it_up_again(site: Site) -> None:
    account = site.handout.account("PER")
    login = account.login
    before = site.json("bal", "show", account.address)["bal"]
    disabled = site.json("person", "disable", login, "--reason", "left")["person"]
    assert disabled["disabled"] is True
    suspended = site.json("bal", "show", account.address)["bal"]
    assert (before["state"], suspended["state"]) == ("active", "suspended")
    assert suspended["state_reason"] == "holder disabled: left"
    assert account.address in [one["address"] for one in site.json("bal", "list", "--orphaned")["bals"]]
    assert site.json("person", "list", "--disabled")["persons"][0]["login"] == disabled["login"]
    site.json("person", "enable", login, "--reason", "back")
    assert site.json("bal", "show", account.address)["bal"]["state"] == "active"
    events = [line["event"] for line in site.json("bal", "history", account.address)["history"]]
    assert events[-2:] == ["bal-suspended", "bal-active"]
    # A mailbox suspended for another reason is not taken up with its holder.
    site.json("bal", "suspend", account.address, "--reason", "inquiry")
    site.json("person", "disable", login, "--reason", "left")
    site.json("person", "enable", login, "--reason", "back")
    assert site.json("bal", "show", account.address)["bal"]["state_reason"] == "inquiry"


@pytest.mark.req("BAL-5")
def test_a_patients_login_is_no_business_of_person(site: Site) -> None:
    address = site.handout.account("PAT").address
    status, said = site.run("person", "show", address)
    assert status in (3, 4)
    assert address.partition("@")[0] not in said


@pytest.mark.req("BAL-3")
def test_structures_and_the_mailboxes_that_name_them(site: Site) -> None:
    added = site.json("structure", "add", FINESS, "--name", "Clinique Essai", "--city", "75000 Paris")[
        "structure"
    ]
    assert (added["scheme"], added["boxes"]) == ("finess", [])
    assert site.run("structure", "add", FINESS, "--name", "x")[0] == 4
    assert site.run("structure", "add", "712", "--name", "x")[0] == 2
    assert site.run("structure", "set", FINESS)[0] == 2
    assert site.run("structure", "show", "9999")[0] == 3
    changed = site.json("structure", "set", FINESS, "--type", "clinique")["structure"]
    assert (changed["type"], changed["name"]) == ("clinique", "Clinique Essai")
    address = site.handout.account("CAB").address
    site.json("bal", "set", address, "--structure", FINESS)
    shown = site.json("structure", "show", FINESS)["structure"]
    assert [box["address"] for box in shown["boxes"]] == [address]
    assert site.json("bal", "show", address)["bal"]["structure_name"] == "Clinique Essai"
    assert [row["id"] for row in site.json("structure", "list")["structures"]] == [FINESS]


@pytest.mark.req("BAL-3", "BAL-5")
def test_a_mailbox_whose_responsible_is_gone_is_orphaned(site: Site) -> None:
    address = site.handout.account("ORG").address
    site.json("bal", "set", address, "--responsible", RPPS)

    def why() -> str:
        found = {one["address"]: one["why"] for one in site.json("bal", "list", "--orphaned")["bals"]}
        return str(found.get(address, ""))

    assert why() == "responsible-unknown"
    site.json("person", "add", "anne", "--name", "Anne Essai", "--national-id", RPPS)
    assert why() == ""
    assert site.json("bal", "show", address)["bal"]["responsible_name"] == "Anne Essai"
    assert site.json("person", "show", "anne")["person"]["responsible_for"] == [address]
    site.json("person", "disable", "anne", "--reason", "left")
    assert why() == "responsible-disabled"
    assert site.json("bal", "show", address)["bal"]["responsible_known"] is False


@pytest.mark.req("BAL-5")
def test_history_says_who_and_why_and_lists_by_state(site: Site) -> None:
    address = site.handout.account("CAB").address
    assert site.run("bal", "suspend", address, "--reason", "")[0] == 2
    site.json("bal", "suspend", address, "--reason", "holidays")
    assert [one["address"] for one in site.json("bal", "list", "--state", "suspended")["bals"]] == [address]
    assert site.run("bal", "list", "--state", "gone")[0] == 2
    site.json("bal", "activate", address, "--reason", "back")
    history = site.json("bal", "history", address)["history"]
    assert history[0]["event"] == "bal-add"
    assert [(line["event"], line["reason"]) for line in history[-2:]] == [
        ("bal-suspended", "holidays"),
        ("bal-active", "back"),
    ]
    assert all(line["actor"].startswith("cli") for line in history[-2:])
    assert "holidays" in site.run("bal", "history", address)[1]


@pytest.mark.req("BAL-5")
def test_inactive_mailboxes_are_listed(site: Site) -> None:
    """Made a moment ago, none is inactive since a day; since no day at all, all without a later use are."""
    assert site.json("bal", "list", "--inactive-days", "1")["bals"] == []
    assert site.json("bal", "list", "--inactive-days", "0")["bals"]
