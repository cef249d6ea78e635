"""`explain` of a message that is larger than a line of the control socket (OPS-3)."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from mss_gateway.ops import explain
from mss_gateway.ops.explain import ExplainOperations
from mss_gateway.ops.operation import CONFLICT, USAGE, OperationRefused
from tests.support.commands import run
from tests.support.process import GatewayProcess

pytestmark = pytest.mark.req("OPS-3")


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway that the command talks to."""
    process = GatewayProcess(tmp_path / "gateway")
    yield process
    assert process.stop() == 0


@pytest.fixture
def operations() -> ExplainOperations:
    """Nothing is decided here."""
    return ExplainOperations(cast(Any, None), cast(Any, None))


def test_a_message_of_six_megabytes_is_explained_by_the_running_gateway(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    """Base64 of it is twice what one line takes."""
    handout = gateway.handout
    file = tmp_path / "large.eml"
    line = b"x" * 76 + b"\r\n"
    head = f"From: {handout.app.address}\r\nTo: {handout.patients.active}\r\nSubject: Essai\r\n\r\n".encode()
    file.write_bytes(head + line * (6_000_000 // len(line)))
    words = ("explain", str(file), "--from", handout.app.address, "--to", handout.patients.active, "--json")
    status, said = run(*words, "-c", str(gateway.config))
    assert status in (0, 1), said
    assert json.loads(said)["message"]["size"] == file.stat().st_size


async def test_pieces_are_put_together_once(operations: ExplainOperations) -> None:
    """In the order in which they come; the message is gone afterwards."""
    first = await operations.piece({"message": b64encode(b"ab").decode()})
    again = await operations.piece({**first, "message": b64encode(b"c").decode()})
    assert first == again
    assert operations._message(first) == b"abc"
    with pytest.raises(OperationRefused) as refused:
        operations._message(first)
    assert refused.value.exit_code == CONFLICT


async def test_messages_that_are_never_asked_about_are_forgotten(operations: ExplainOperations) -> None:
    """The oldest goes first."""
    names = [await operations.piece({"message": ""}) for _ in range(explain.UPLOADS + 1)]
    with pytest.raises(OperationRefused) as refused:
        await operations.piece({**names[0], "message": ""})
    assert refused.value.reason == "no-upload"
    assert await operations.piece({**names[1], "message": ""}) == names[1]


async def test_a_message_without_end_is_refused(
    operations: ExplainOperations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As every door would, and what came of it is let go."""
    monkeypatch.setattr(explain, "LARGEST", 3)
    upload = await operations.piece({"message": b64encode(b"ab").decode()})
    with pytest.raises(OperationRefused) as refused:
        await operations.piece({**upload, "message": b64encode(b"cd").decode()})
    assert (refused.value.reason, refused.value.exit_code) == ("too-big", 1)
    assert not operations._uploads


@pytest.mark.parametrize("octets", ["é", "a", "****"])
async def test_what_is_no_base64_is_a_wrong_argument(operations: ExplainOperations, octets: str) -> None:
    """Never a fault."""
    with pytest.raises(OperationRefused) as refused:
        await operations.piece({"message": octets})
    assert refused.value.exit_code == USAGE
