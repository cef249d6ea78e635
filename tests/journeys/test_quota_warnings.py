"""A mailbox that fills up is told by mail, once for each threshold, over a restart too (BAL-9)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mss_gateway.pipeline.quota_warnings import QuotaWarner
from tests.support.doors import Served, gateway_in_thread
from tests.support.wires import Imap

PATIENCE = 60.0  # seconds; only a broken gateway reaches it
SECRET = b"Glycemie"
MESSAGE = b"Subject: %b\r\nMessage-ID: <x@y.example>\r\n\r\nTexte\r\n" % SECRET


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A gateway that looks without a pause; at its end no fault of ours may have been counted."""
    monkeypatch.setattr(QuotaWarner.__init__, "__defaults__", (0.01,))
    with gateway_in_thread(tmp_path_factory.mktemp("quota")) as gateway:
        yield gateway
        assert gateway.faults() == 0


def operate(served: Served, name: str, **arguments: object) -> dict[str, Any]:
    """An operation of the running gateway."""
    result: dict[str, Any] = served.call(served.parts.operations[name](arguments))
    return result


def told(served: Served, address: str) -> list[int]:
    """The thresholds that the history of a mailbox says it was told of."""
    history = operate(served, "bal.history", address=address)["history"]
    return [line["detail"]["percent"] for line in history if line["event"] == "quota-warned"]


def until(condition: Callable[[], bool]) -> None:
    """Wait for it."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def fill(wire: Imap, count: int) -> None:
    """Save messages in Sent."""
    for _ in range(count):
        assert wire.append("Sent", MESSAGE).startswith(b"OK")


@pytest.mark.req("BAL-9", "RCP-6")
def test_a_mailbox_is_told_at_each_threshold_and_nothing_of_its_mail(served: Served) -> None:
    account = served.account("CAB")
    wire = served.imap(account)
    operate(served, "bal.quota", address=account.address, messages="20")
    fill(wire, 15)
    assert told(served, account.address) == []
    fill(wire, 1)
    until(lambda: told(served, account.address) == [80])
    fill(wire, 2)  # with the warning itself 19 of 20
    until(lambda: told(served, account.address) == [80, 95])
    assert wire.append("Sent", MESSAGE).startswith(b"NO [OVERQUOTA]")
    wire.ok("SELECT INBOX")
    read = b"".join(wire.ok("FETCH 1:* (BODY.PEEK[])"))
    assert read.count(b"Auto-Submitted: auto-generated") == 2
    assert read.count(b"Return-Path: <>") == 2
    assert SECRET not in read
    assert b"16 sur 20" in read
    wire.ok("SELECT Sent")
    wire.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")
    wire.ok("EXPUNGE")
    fill(wire, 14)
    until(lambda: told(served, account.address) == [80, 95, 80])
    wire.close()


@pytest.mark.req("BAL-9")
def test_several_thresholds_at_once_are_one_mail(served: Served) -> None:
    """A quota that is set below what a mailbox holds tells the highest; taken away, it is forgotten."""
    account = served.account("PER")
    wire = served.imap(account)
    fill(wire, 5)
    operate(served, "bal.quota", address=account.address, messages="5")
    until(lambda: told(served, account.address) == [95])
    operate(served, "bal.quota", address=account.address, messages="default")
    operate(served, "bal.quota", address=account.address, messages="100")
    fill(wire, 1)
    other = served.account("CAB")
    operate(served, "bal.quota", address=other.address, messages="1")
    second = served.imap(other)
    fill(second, 1)
    until(lambda: told(served, other.address) == [95])
    assert told(served, account.address) == [95]
    for one in (wire, second):
        one.close()
