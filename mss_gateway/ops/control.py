"""The control socket: one JSON line asks, one JSON line answers. Only its owner may open it (OPS-1)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from mss_gateway.observe.events import Event

if TYPE_CHECKING:
    from mss_gateway.observe.log import Log

from .operation import NOT_ALLOWED, UNAVAILABLE, USAGE, Operation, OperationRefused, Result

LINE_LIMIT = 4 * 1024 * 1024  # octets of one request or answer
TIMEOUT = 60.0  # seconds for one answer
ANSWER_BUFFER = 256 * 1024  # octets read at once
_FOREIGN = re.compile(r"\\ud[89a-f]")  # half a surrogate pair, as `ascii` shows it


class Control:
    """Serves operations on a Unix socket with mode 0600."""

    def __init__(self, path: Path, operations: Mapping[str, Operation], log: Log) -> None:
        self._path = path
        self._operations = operations
        self._log = log
        self._server: asyncio.AbstractServer | None = None

    async def open(self) -> None:
        """Listen; a socket left by a killed process is replaced, that of another gateway is not. Raises OSError."""
        if _is_answered(self._path):
            sentence = (
                "another gateway is asked by this control socket: give each one its own (control.socket)"
            )
            raise OSError(errno.EADDRINUSE, sentence, str(self._path))
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
            return _line(_refusal(_fault()))


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.0)
        try:
            probe.connect(str(path))
        except BlockingIOError:  # so many ask it already that one more has no room
            return True
        except OSError:
            return False
        return True


async def run(operation: Operation, arguments: dict[str, Any], log: Log) -> dict[str, Any]:
    """Carry out one operation and give its answer record; a fault of ours is logged and told without detail."""
    try:
        return {"ok": True, "result": await operation(arguments)}
    except OperationRefused as refused:
        return _refusal(refused)
    except UnicodeEncodeError as error:
        return _refusal(foreign_text(error, arguments) or _faulty(error, log))
    except Exception as error:
        return _refusal(_faulty(error, log))


def foreign_text(error: UnicodeEncodeError, arguments: object) -> OperationRefused | None:
    """What is said of octets of another encoding in an argument; None when the fault is ours."""
    if not all(_FOREIGN.search(ascii(one)) for one in (error.object, arguments)):
        return None
    return OperationRefused("An argument is not written in UTF-8: type it again", "bad-argument", USAGE)


def _faulty(error: Exception, log: Log) -> OperationRefused:
    from mss_gateway.ports.store import StoreError  # slow to load, and the asking side does without

    told = isinstance(error, StoreError)
    if not told or error.__cause__ is not None:
        log.fault(Event.OPERATION_FAULT, error)
    # The store's sentence says what to do, here as in a command that works without the gateway.
    return OperationRefused(str(error), "unavailable", UNAVAILABLE) if told else _fault()


def _fault() -> OperationRefused:
    return OperationRefused("The gateway could not do it; its log says why", "internal", UNAVAILABLE)


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
        """Raises ConnectionError when no gateway is running, `OperationRefused` when it may not be asked."""
        self._client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._client.settimeout(TIMEOUT)
            try:
                self._client.connect(str(path))
            except (FileNotFoundError, ConnectionRefusedError):
                raise ConnectionError("no gateway is running") from None
            except PermissionError:
                sentence = (
                    f"{path} is open to the gateway's own user only: run the command as that user, or as root"
                )
                raise OperationRefused(sentence, "not-its-user", NOT_ALLOWED) from None
            except (BlockingIOError, TimeoutError):
                raise _no_answer() from None
            request = json.dumps({"operation": operation, "arguments": dict(arguments)}).encode() + b"\n"
            if len(request) > LINE_LIMIT:
                sentence = (
                    f"What is asked is larger than {LINE_LIMIT} octets, more than the control socket takes"
                )
                raise OperationRefused(sentence, "too-large", USAGE)
            self._client.sendall(request)
        except BaseException:
            self.close()
            raise

    def answer(self) -> bytes:
        """The line that answers; what has come of it when the gateway has stopped. Once only.

        Raises `OperationRefused` when it is silent: whether it does what was asked is not known then.
        """
        with contextlib.closing(self), self._client.makefile("rb", ANSWER_BUFFER) as answers:
            try:
                return answers.readline(LINE_LIMIT)
            except ConnectionError:
                return b""
            except TimeoutError:
                raise _no_answer() from None

    def close(self) -> None:
        """Do without the answer."""
        self._client.close()


def _no_answer() -> OperationRefused:
    sentence = f"The gateway is there and does not answer (for {TIMEOUT:.0f} s): look into its log"
    return OperationRefused(sentence, "no-answer", UNAVAILABLE)


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
