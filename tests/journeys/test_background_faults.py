"""A fault of ours behind the line: no mail is lost by it, the others get theirs, and the gateway goes on serving."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mss_gateway.dev.handout import Account
from mss_gateway.mail.mdn import build_mdn
from mss_gateway.pipeline import closing as closing_room
from mss_gateway.pipeline import receipts as receipt_room
from mss_gateway.ports.queue import EVERYTHING
from mss_gateway.ports.records import TraceLine
from mss_gateway.storage.sqlite import SqliteStore
from tests.support.attacks import holding, note, operate, said
from tests.support.doors import Served, gateway_in_thread
from tests.support.postfix_scene import until

SECRET = "canarisecret"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A gateway of one's own."""
    with gateway_in_thread(tmp_path) as gateway:
        yield gateway


def asked(served: Served, doctor: Account, patient: Account, name: str) -> None:
    """A message that asks for a receipt, and its opening."""
    wire = served.submission(doctor)
    fields = (f"Disposition-Notification-To: {doctor.address}", f"Message-ID: <{name}@x.example>")
    assert said(wire, doctor.address, patient.address, note(doctor.address, *fields)).startswith("250")
    wire.close()
    reader = served.imap(patient, select="INBOX")
    reader.ok("FETCH * (BODY[])")
    reader.close()


async def within(seconds: float, served: Served, waiting: int) -> int:
    """How many opened receipts wait, once they are so few, or in the end."""
    for _ in range(int(seconds * 50)):
        if len(await served.parts.store.opened(10)) <= waiting:
            break
        await asyncio.sleep(0.02)
    return len(await served.parts.store.opened(10))


@pytest.mark.req("RCP-2")
def test_a_receipt_that_cannot_be_written_holds_up_no_other(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are written at once; the one itself stays due, and is written when it can be."""
    doctor, patient = served.account("PER"), served.account("PAT")

    def broken(head: Any, *rest: Any) -> bytes:
        if head.original_id == "<erste@x.example>":
            raise ValueError(SECRET)
        return build_mdn(head, *rest)

    monkeypatch.setattr(receipt_room, "build_mdn", broken)
    asked(served, doctor, patient, "erste")
    asked(served, doctor, patient, "zweite")
    assert served.call(within(60, served, 1)) == 1
    assert served.faults() >= 1
    assert len(holding(served, doctor, "Original-Message-ID: <zweite@x.example>")) == 1
    monkeypatch.undo()
    asked(served, doctor, patient, "dritte")
    assert served.call(within(60, served, 0)) == 0
    assert len(holding(served, doctor, "Original-Message-ID: <erste@x.example>")) == 1


@pytest.mark.req("RCP-2", "RCP-6")
def test_a_receipt_for_a_mailbox_that_has_gone_ends_here(served: Served) -> None:
    """It is neither sent out of the house nor tried for ever, and the timeline says why."""
    cabinet, patient = served.account("CAB"), served.account("PAT")
    wire = served.submission(cabinet)
    fields = (f"Disposition-Notification-To: {cabinet.address}", "Message-ID: <fort@x.example>")
    assert said(wire, cabinet.address, patient.address, note(cabinet.address, *fields)).startswith("250")
    wire.close()
    operate(served, "bal.close", address=cabinet.address, reason="depart")
    reader = served.imap(patient, select="INBOX")
    reader.ok("FETCH * (BODY[])")
    reader.close()
    assert served.call(within(60, served, 0)) == 0
    assert served.call(served.parts.store.queued(EVERYTHING)) == []
    lines = served.call(served.parts.store.trace("<fort@x.example>", 50))
    assert [line.detail["reason"] for line in lines if line.event == "report-withheld"] == ["sender-gone"]


def test_other_background_work_survives_its_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The looks for silent exchanges and the writing of trace lines: both go on, and nothing leaks."""

    async def broken(*_: object) -> int:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(closing_room.Closer, "close_silent", broken)
    monkeypatch.setattr(closing_room, "PAUSE", 0.02)
    write = SqliteStore.write_trace

    async def fussy(store: SqliteStore, lines: Sequence[TraceLine]) -> None:
        if any(line.event == "login-refused" for line in lines):
            raise RuntimeError(SECRET)
        await write(store, lines)

    monkeypatch.setattr(SqliteStore, "write_trace", fussy)
    with gateway_in_thread(tmp_path) as served:
        wire = served.submission()
        wire.auth_plain("personne", "faux")
        wire.close()
        served.imap(served.account("PER"), select="INBOX").close()
        until(lambda: written(served)[0] == 1)
        until(lambda: served.faults() >= 1)  # of the looks for silent exchanges
        served.imap(served.account("PER"), select="INBOX").close()
        until(lambda: written(served) == (2, 1))


def written(served: Served) -> tuple[int, int]:
    """Lines of logins, and of how many lost lines others tell."""
    lines = served.call(served.parts.store.trace(limit=20))
    lost = sum(int(line.detail["lines"]) for line in lines if line.event == "trace-overflow")
    return [line.event for line in lines].count("login"), lost
