"""The control socket: one line asks, one line answers, in readable UTF-8 (OPS-1)."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mss_gateway.observe.log import Log
from mss_gateway.ops.control import Control, Question, ask
from mss_gateway.ops.operation import UNAVAILABLE, OperationRefused
from mss_gateway.ports.store import StoreError

pytestmark = pytest.mark.req("OPS-1")


class Faults(Log):
    """Keeps the kinds of faults instead of writing them."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def fault(self, event: object, error: BaseException, **fields: object) -> None:  # type: ignore[override]
        """Note the kind."""
        self.kinds.append(type(error).__name__)


async def echo(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What was given."""
    return dict(arguments)


async def broken(_: Mapping[str, Any]) -> dict[str, Any]:
    """An answer that is no JSON."""
    return {"wrong": object()}


async def keyless(_: Mapping[str, Any]) -> dict[str, Any]:
    """Something that the store cannot do, and says what is to be done."""
    raise StoreError("audit.key is empty: take it from the last backup")


async def torn(_: Mapping[str, Any]) -> dict[str, Any]:
    """A fault of the disk beneath the store."""
    raise StoreError("The store failed: OSError") from OSError(5, "Input/output error")


async def asked(folder: Path, operation: str, arguments: dict[str, Any], log: Log) -> bytes:
    """The line that a served operation answers."""
    path = folder / "control.sock"
    served = {"echo": echo, "broken": broken, "keyless": keyless, "torn": torn}
    control = Control(path, served, log)
    await control.open()
    try:
        return await asyncio.to_thread(lambda: Question(path, operation, arguments).answer())
    finally:
        await control.close()


async def test_an_answer_is_one_readable_line(tmp_path: Path) -> None:
    """Accents stay as they are, for people with a terminal and nothing else."""
    line = await asked(tmp_path, "echo", {"name": "Hôpital\nd'Aÿ"}, Faults())
    assert line.count(b"\n") == 1
    assert "Hôpital\\nd'Aÿ".encode() in line
    assert json.loads(line) == {"ok": True, "result": {"name": "Hôpital\nd'Aÿ"}}


async def test_an_argument_in_another_encoding_is_answered_in_utf_8(tmp_path: Path) -> None:
    """Half a surrogate pair, as Python reads such an argument, cannot be written; a mark stands for it."""
    line = await asked(tmp_path, "echo", {"name": "caf\udce9", "number": 1 << 70}, Faults())
    assert json.loads(line)["result"] == {"name": "caf?", "number": 1 << 70}


async def test_an_answer_that_is_no_json_is_a_fault_of_ours(tmp_path: Path) -> None:
    """It is logged, and the asking side is told."""
    log = Faults()
    found = json.loads(await asked(tmp_path, "broken", {}, log))
    assert (found["ok"], found["reason"]) == (False, "internal")
    assert log.kinds == ["TypeError"]


@pytest.mark.parametrize(("operation", "logged"), [("keyless", []), ("torn", ["StoreError"])])
async def test_what_the_store_cannot_do_is_said_in_its_words(
    tmp_path: Path, operation: str, logged: list[str]
) -> None:
    """Whoever asks hears what to do; a fault beneath it is logged besides."""
    log = Faults()
    found = json.loads(await asked(tmp_path, operation, {}, log))
    assert (found["ok"], found["reason"], found["exit"]) == (False, "unavailable", UNAVAILABLE)
    assert found["error"] == (
        "audit.key is empty: take it from the last backup" if not logged else "The store failed: OSError"
    )
    assert log.kinds == logged


@pytest.mark.parametrize("line", [b"{", b"[" * 100_000, b'{"operation":"none"}', b"\xff", b"[1]"])
async def test_what_is_no_question_is_refused(tmp_path: Path, line: bytes) -> None:
    """The connection goes on."""
    path = tmp_path / "control.sock"
    control = Control(path, {"echo": echo}, Faults())
    await control.open()
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(line + b'\n{"operation":"echo"}\n')
        assert json.loads(await reader.readline())["reason"] == "bad-request"
        assert json.loads(await reader.readline()) == {"ok": True, "result": {}}
    finally:
        writer.close()
        await control.close()


def test_without_a_gateway_nobody_answers(tmp_path: Path) -> None:
    """Also when a killed one has left its socket; one that stops before it answers is told."""
    path = tmp_path / "control.sock"
    with pytest.raises(ConnectionError):
        Question(path, "echo", {})
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        with pytest.raises(ConnectionError):
            Question(path, "echo", {})
        listener.listen()
        question = Question(path, "echo", {})
        taken, _ = listener.accept()
        taken.recv(1000)
        taken.close()
        assert question.answer() == b""


def test_a_refusal_keeps_its_exit_code(tmp_path: Path) -> None:
    """As the operation gave it."""

    async def serve() -> None:
        async def refuse(_: Mapping[str, Any]) -> dict[str, Any]:
            raise OperationRefused("Non", "no", 4)

        control = Control(tmp_path / "control.sock", {"refuse": refuse}, Faults())
        await control.open()
        try:
            await asyncio.to_thread(ask, tmp_path / "control.sock", "refuse", {})
        finally:
            await control.close()

    with pytest.raises(OperationRefused) as refused:
        asyncio.run(serve())
    assert (refused.value.sentence, refused.value.exit_code) == ("Non", 4)


async def test_two_gateways_never_share_a_control_socket(tmp_path: Path) -> None:
    """The commands for one would reach the other; a socket that nobody answers is replaced."""
    path = tmp_path / "control.sock"
    first, second = Control(path, {"echo": echo}, Faults()), Control(path, {}, Faults())
    await first.open()
    with pytest.raises(OSError, match="another gateway"):
        await second.open()
    assert await asyncio.to_thread(ask, path, "echo", {"a": 1}) == {"a": 1}
    await first.close()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(path))
    await second.open()
    await second.close()
