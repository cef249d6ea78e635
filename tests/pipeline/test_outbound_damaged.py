"""A letter whose text is damaged in the store waits for a person, not for its next attempt (OPS-5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from mss_gateway.ports.queue import EVERYTHING
from mss_gateway.ports.store import DamagedBody
from tests.support.outbound import opened, running
from tests.support.store import body


@pytest.mark.req("OPS-5")
async def test_it_is_held_with_its_reason_and_the_others_go_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One attempt, one fault in the log, no report; a message to the same domain is not kept up."""
    async with opened(tmp_path / "store") as store:
        read = type(store).read_text

        async def damaged(self: object, body_id: int, offset: int, size: int) -> bytes:
            if body_id == 1:
                raise DamagedBody(body_id)
            return await read(store, body_id, offset, size)

        monkeypatch.setattr(type(store), "read_text", damaged)
        async with running(store) as line:
            await line.queue("a@nord.example", new=body(b"x" * 40_000))
            (row,) = await line.quiet()
            await line.queue("b@nord.example", new=body(b"y" * 40_000))
            await line.quiet()
            assert line.courier.reached == ["b@nord.example"]
            assert (row.state, row.attempts) == ("held", 1)
            assert "body 1 is damaged" in row.hold_reason
            assert line.faults() == 1
            assert await line.reports() == []
            assert [one.state for one in await store.queued(EVERYTHING)] == ["held"]
