"""The control socket: one JSON line asks, one JSON line answers. Only its owner may open it (OPS-1)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from mss_gateway.observe.events import Event

if TYPE_CHECKING:
    from mss_gateway.observe.log import Log

from .operation import UNAVAILABLE, USAGE, Operation, OperationRefused, Result

LINE_LIMIT = 4 * 1024 * 1024  # octets of one request or answer
TIMEOUT = 60.0  # seconds for one answer
ANSWER_BUFFER = 256 * 1024  # octets read at once


class Control:
    """Serves operations on a Unix socket with mode 0600."""

    def __init__(self, path: Path, operations: Mapping[str, Operation], log: Log) -> None:
        self._path = path
        self._operations = operations
        self._log = log
        self._server: asyncio.AbstractServer | None = None

    async def open(self) -> None:
        """Listen; a socket left by a killed process is replaced. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        before = os.umask(0o177)  # between bind and chmod anybody could connect
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path, limit=LINE_LIMIT)
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                while line := await reader.readline():
                    answer = await self._answer(line)
                    writer.write(self._encoded(answer))
                    await writer.drain()
        except (TimeoutError, ConnectionError, ValueError):
            pass  # the asking side has gone, or sends more than a line may hold
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = _decoded(line)
            operation = self._operations[request["operation"]]
            arguments = dict(request.get("arguments") or {})
        except (ValueError, KeyError, TypeError, RecursionError):
            return _refusal(OperationRefused("The request is not understood", "bad-request", USAGE))
        return await run(operation, arguments, self._log)

    def _encoded(self, answer: dict[str, Any]) -> bytes:
        """The answer as a line of UTF-8; one that is no JSON is a fault of ours."""
        try:
            return _line(answer)
        except (TypeError, ValueError) as error:
            self._log.fault(Event.OPERATION_FAULT, error)
            return _line(_fault())


async def run(operation: Operation, arguments: dict[str, Any], log: Log) -> dict[str, Any]:
    """Carry out one operation and give its answer record; a fault of ours is logged and told without detail."""
    try:
        return {"ok": True, "result": await operation(arguments)}
    except OperationRefused as refused:
        return _refusal(refused)
    except Exception as error:
        log.fault(Event.OPERATION_FAULT, error)
        return _fault()


def _fault() -> dict[str, Any]:
    sentence = "The gateway could not do it; its log says why"
    return _refusal(OperationRefused(sentence, "internal", UNAVAILABLE))


def _refusal(refused: OperationRefused) -> dict[str, Any]:
    return {"ok": False, "error": refused.sentence, "reason": refused.reason, "exit": refused.exit_code}


def _line(value: object) -> bytes:
    """One line of JSON in UTF-8. What orjson does not take, such as half a surrogate pair, the slower way takes."""
    try:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _decoded(line: bytes) -> Any:
    """JSON; raises ValueError. An argument typed in another encoding holds half a surrogate pair, escaped."""
    try:
        return orjson.loads(line)
    except ValueError:
        return json.loads(line)


class Question:
    """One question on its way to the running gateway: sent at once, its answer is fetched when it is wanted."""

    def __init__(self, path: Path, operation: str, arguments: Mapping[str, Any]) -> None:
        """Raises ConnectionError when no gateway is running."""
        self._client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._client.settimeout(TIMEOUT)
            try:
                self._client.connect(str(path))
            except (FileNotFoundError, ConnectionRefusedError):
                raise ConnectionError("no gateway is running") from None
            request = {"operation": operation, "arguments": dict(arguments)}
            self._client.sendall(json.dumps(request).encode() + b"\n")
        except BaseException:
            self.close()
            raise

    def answer(self) -> bytes:
        """The line that answers; what has come of it when the gateway has stopped. Raises OSError. Once only."""
        with contextlib.closing(self), self._client.makefile("rb", ANSWER_BUFFER) as answers:
            return answers.readline(LINE_LIMIT)

    def close(self) -> None:
        """Do without the answer."""
        self._client.close()


def ask(path: Path, operation: str, arguments: Mapping[str, Any]) -> Result:
    """Ask the running gateway; raises `OperationRefused`, or ConnectionError when none is running."""
    line = Question(path, operation, arguments).answer()
    return unpack(_decoded(line) if line.endswith(b"\n") else {})  # else it stopped half way


def unpack(answer: Mapping[str, Any]) -> Result:
    """The result of an answer record; raises `OperationRefused` for a refusal."""
    if answer.get("ok"):
        return dict(answer["result"])
    raise OperationRefused(
        answer.get("error", "The gateway stopped before it answered"),
        answer.get("reason", "no-answer"),
        answer.get("exit", UNAVAILABLE),
    )
