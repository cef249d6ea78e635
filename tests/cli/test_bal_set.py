"""`bal set` changes what is named, and nothing else (BAL-8, CHN-6, CHN-8, IMP-2, RCP-4)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.base.errors import InvalidValue
from mss_gateway.rules.boxes import AUTO_CLOSE_DAYS, check_auto_close
from mss_gateway.rules.facts import BoxType
from tests.support.commands import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """The sample's mailboxes, no gateway running."""
    return Site(tmp_path)


@pytest.mark.req("BAL-8", "CHN-6", "CHN-8", "IMP-2", "RCP-4")
def test_each_choice_is_made_and_the_others_stay(site: Site) -> None:
    address = site.handout.app.address
    before = site.json("bal", "show", address)["bal"]
    choices = [
        (("--auto-close", "send"), {"auto_close": "send"}),
        (("--auto-close", "days=30"), {"auto_close": "days=30"}),
        (("--no-exchange-folder",), {"exchange_folder": False}),
        (("--server-mdn",), {"server_mdn": True}),
        (("--fin", "leave"), {"fin": "leave"}),
        (("--patient-initiated",), {"patient_initiated": True}),
        (("--display", "Résultats"), {"display": "Résultats"}),
        (("--auto-close", "never", "--exchange-folder"), {"auto_close": "", "exchange_folder": True}),
        (("--no-server-mdn", "--no-patient-initiated"), {"server_mdn": False, "patient_initiated": False}),
    ]
    for words, wanted in choices:
        after = site.json("bal", "set", address, *words)["bal"]
        before |= wanted
        assert {name: before[name] for name in after} == after, words
    assert site.json("bal", "show", address)["bal"] == before
    assert site.run("bal", "set", address, "--auto-close", "answer")[1].count("answer") == 1


@pytest.mark.req("CHN-8")
@pytest.mark.parametrize(
    ("words", "status"),
    [
        ((), 2),
        (("--auto-close", "soon"), 2),
        (("--auto-close", "days=0"), 2),
        (("--auto-close", "days=3651"), 2),
        (("--auto-close", "send"), 2),
        (("--fin", "reply-to=nobody"), 2),
        (("--fin", "reply-to=a@exemple.fr", "--auto-close", "days="), 2),
    ],
)
def test_a_wrong_choice_changes_nothing(site: Site, words: tuple[str, ...], status: int) -> None:
    address = site.handout.account("PER").address
    before = site.json("bal", "show", address)
    assert site.run("bal", "set", address, *words)[0] == status
    assert site.json("bal", "show", address) == before


@pytest.mark.req("BAL-5")
def test_a_mailbox_that_is_not_there(site: Site) -> None:
    domain = site.handout.app.address.partition("@")[2]
    assert site.run("bal", "set", f"personne@{domain}", "--server-mdn")[0] == 3
    assert site.run("bal", "set", "a@example.org", "--server-mdn")[0] == 5


@pytest.mark.req("INS-7", "BAL-5")
def test_a_reason_with_a_number_in_it_comes_back_masked(site: Site) -> None:
    """On the screen as in the store."""
    address = site.handout.account("CAB").address
    said = site.run("bal", "suspend", address, "--reason", "au sujet de 285037728417346")[1]
    assert "2 85 03 ** *** *** **" in said
    assert "285037728417346" not in said


@pytest.mark.req("CHN-8")
@given(st.text(max_size=12) | st.integers(-5, 10_000).map("days={}".format), st.sampled_from(list(BoxType)))
def test_auto_close_is_one_of_four_words(value: str, kind: BoxType) -> None:
    days = value.removeprefix("days=")
    in_range = value != days and days.isascii() and days.isdigit() and len(days) <= 4
    right = value in ("", "answer") or (in_range and 1 <= int(days) <= AUTO_CLOSE_DAYS)
    right = right or (value == "send" and kind is BoxType.APP)
    try:
        check_auto_close(value, kind)
    except InvalidValue:
        assert not right
    else:
        assert right
