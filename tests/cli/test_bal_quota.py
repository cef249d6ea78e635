"""`bal quota` sets how much a mailbox may hold, and shows how full it is (BAL-9)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import Site

pytestmark = pytest.mark.req("BAL-9")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """The sample's mailboxes, no gateway running."""
    return Site(tmp_path)


def test_limits_are_set_shown_and_taken_back(site: Site) -> None:
    """What is not named stays; `default` takes the box's own limit back; `bal show` tells the same."""
    address = site.handout.account("ORG").address
    start = site.json("bal", "quota", address)
    assert start["address"] == address
    assert (start["quota"]["bytes_limit"], start["quota"]["messages_limit"]) == (None, None)
    for words, limits in (
        (("--bytes", "10G"), (10 * 1024**3, None)),
        (("--messages", "50000"), (10 * 1024**3, 50_000)),
        (("--bytes", "default"), (None, 50_000)),
    ):
        quota = site.json("bal", "quota", address, *words)["quota"]
        assert (quota["bytes_limit"], quota["messages_limit"]) == limits
        bal = site.json("bal", "show", address)["bal"]
        assert (bal["bytes_limit"], bal["messages_limit"]) == limits
        assert (bal["bytes"], bal["messages"]) == (quota["bytes"], quota["messages"])
    shown = site.run("bal", "quota", address)[1]
    assert "messages limit" in shown
    assert "50000" in shown
    assert "bytes limit" not in shown


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("--bytes", "plenty"), 2),
        (("--bytes", "0"), 2),
        (("--messages", "-1"), 2),
        (("--bytes", "1G", "--messages", "many"), 2),
    ],
)
def test_a_wrong_limit_changes_nothing(site: Site, words: tuple[str, ...], status: int) -> None:
    """All is checked before anything is written."""
    address = site.handout.account("PER").address
    before = site.json("bal", "quota", address)
    assert site.run("bal", "quota", address, *words)[0] == status
    assert site.json("bal", "quota", address) == before
    assert site.run("bal", "quota", "absent@" + address.partition("@")[2])[0] == 3
