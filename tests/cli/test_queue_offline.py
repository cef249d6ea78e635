"""The queue commands while no gateway runs, and a queue of a hundred thousand rows (QUE-3)."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mss_gateway.cli.queue_watch import ROWS, line, page, rates
from mss_gateway.mail.address import parse_address
from mss_gateway.mail.envelope import Recipient
from mss_gateway.ports.records import Delivery, OutboxEntry, Part
from mss_gateway.ports.relay import Outcome
from mss_gateway.rules.meanings import TRUST_REASONS
from mss_gateway.rules.queue_reasons import meaning_of, remedy_for, slug_of
from mss_gateway.storage.sqlite import SqliteOptions, SqliteStore
from tests.support.commands import Site
from tests.support.store import body

MANY = 100_000


def fill(site: Site, recipients: Sequence[str], sender: str) -> str:
    """Queue one message to all of them; its Message-ID."""
    new = body()

    async def accept() -> None:
        store = SqliteStore(SqliteOptions(site.folder / "store"))
        await store.open()
        entries = tuple(OutboxEntry(sender, Recipient(parse_address(one))) for one in recipients)
        await store.accept(Delivery((Part(new, time.time(), outbox=entries),)))
        await store.close()

    asyncio.run(accept())
    assert new.message_id is not None
    return new.message_id


@pytest.mark.req("QUE-3", "OPS-1")
def test_without_a_gateway_the_store_is_changed(tmp_path: Path) -> None:
    """List, hold, release and retry, and even cancel with its report."""
    site = Site(tmp_path)
    sender = site.handout.account("PER").address
    message_id = fill(site, ["a@nord.example", "b@sud.example"], sender)
    assert [one["recipient"] for one in site.json("queue", "list")["rows"]] == [
        "a@nord.example",
        "b@sud.example",
    ]
    assert site.json("queue", "hold", "--domain", "nord.example")["rows"] == 1
    assert site.json("queue", "release", "--all")["rows"] == 1
    assert site.json("queue", "retry", "--message", message_id)["under_way"] == 0
    told = site.json("queue", "stats")
    assert (told["running"], told["totals"]["rows"], told["totals"]["domains"]) == (False, 2, 2)
    assert "No gateway is running" in site.run("queue", "stats")[1]
    assert site.json("queue", "cancel", "--all", "--yes")["rows"] == 2
    assert site.json("queue", "list")["rows"] == []
    events = [one["event"] for one in site.json("trace", message_id)["lines"]]
    assert events.count("cancelled") == 2
    assert events.count("report-written") == 2


@pytest.mark.req("QUE-3")
def test_watch_needs_a_gateway(tmp_path: Path) -> None:
    """It says so instead of showing a queue that does not move."""
    status, said = Site(tmp_path).run("queue", "watch", "--once")
    assert status == 6
    assert "No gateway" in said


@pytest.mark.req("QUE-3")
def test_an_empty_queue_is_said_to_be_empty(tmp_path: Path) -> None:
    """A table without rows is no table."""
    assert Site(tmp_path).run("queue", "list") == (0, "Queue: none\n")


@pytest.mark.req("QUE-3")
def test_a_hundred_thousand_rows_are_listed_page_by_page(tmp_path: Path) -> None:
    """All of them in one document, each once, in order; a limit over several pages ends where it should."""
    site = Site(tmp_path)
    fill(site, [f"a{number}@d{number % 50}.example" for number in range(MANY)], "a@hopital.example")
    found = site.json("queue", "list", "--all")
    ids = [one["id"] for one in found["rows"]]
    assert len(ids) == MANY
    assert ids == sorted(set(ids))
    assert not found["more"]
    part = site.json("queue", "list", "--limit", "2500")
    assert [one["id"] for one in part["rows"]] == ids[:2500]
    assert part["more"]
    status, said = site.run("queue", "list", "--domain", "d7.example", "--limit", "2")
    assert status == 0
    assert "There are more rows" in said


@pytest.mark.req("QUE-3")
def test_every_reason_has_a_meaning_and_a_remedy() -> None:
    """All slugs that the port names, those of the trust space, and what a row never tried says: nothing."""
    slugs = set(
        re.findall(r"`([a-z0-9-]+)`", (Outcome.__doc__ or "").partition("slug (")[2].partition(")")[0])
    )
    assert len(slugs) > 15
    for slug in slugs | set(TRUST_REASONS) | {"interrupted", "fault", "cancelled", "ocsp-stale"}:
        assert meaning_of(slug) not in ("", "the attempt did not succeed"), slug
        assert remedy_for(slug), slug
    assert (slug_of("lost: no answer"), slug_of("")) == ("lost", "")
    assert (meaning_of(""), remedy_for("")) == ("", "")


def look(at: float, relayed: int, domains: int = 1) -> dict[str, Any]:
    """An answer of `queue.stats` as the gateway gives it."""
    counts = {"waiting": 3, "leased": 0, "uncertain": 0, "held": 1, "octets": 4000}
    one = {
        **counts,
        "domain": "nord.example",
        "rows": 4,
        "attempts": 9,
        "oldest_at": at - 7300,
        "next_attempt_at": at + 61,
        "last_error": "connect-refused: [bold]no[/]\x1b[2J",
        "under_way": 0,
        "silence": {"until": at + 300, "failures": 4, "reason": "connect-refused", "text": "\x1b[2J[red]"},
    }
    return {
        "at": at,
        "running": True,
        "totals": {"rows": 4, **counts, "domains": 1, "under_way": 0, "oldest_at": at - 7300},
        "since_start": {"relayed": relayed, "deferred": 5, "failed": 0},
        "domains": [one] * domains,
    }


@pytest.mark.req("QUE-3")
def test_rates_are_those_since_the_last_look() -> None:
    """A gateway that started anew gives no negative ones, the first look none."""
    assert rates(look(100.0, 50), look(98.0, 10)) == {"relayed": 20.0, "deferred": 0.0, "failed": 0.0}
    assert rates(look(100.0, 5), look(98.0, 10))["relayed"] == 0
    assert rates(look(100.0, 5), None) == {}
    assert "relayed 20.0/s" in line(look(100.0, 50), look(98.0, 10))
    assert "1 silent" in line(look(100.0, 50), None)


@pytest.mark.req("QUE-3")
def test_a_page_obeys_no_peer() -> None:
    """What a server has said is neither markup nor an escape of the terminal; further domains are counted."""
    out = Console(width=200)
    with out.capture() as captured:
        out.print(page(look(100.0, 50, ROWS + 2), None))
    said = captured.get()
    assert "\x1b[2J" not in said
    assert "[red]" in "".join(said.split())
    assert "2 more domains" in said
    assert "the oldest for 2 h 01" in said
