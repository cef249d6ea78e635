"""What the system or a silent gateway says no with becomes a sentence with what to do (OPS-1, OPS-6)."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mss_gateway.cli.output import why
from mss_gateway.ops import control
from mss_gateway.ops.control import Question, ask, foreign_text
from mss_gateway.ops.operation import NOT_ALLOWED, UNAVAILABLE, USAGE, Arguments, OperationRefused, Result
from mss_gateway.storage.sqlite import SqliteOptions, SqliteStore
from tests.support.commands import run

pytestmark = pytest.mark.req("OPS-1")

REPLY = b'{"ok":true,"result":{"persons":[],"rows":7}}\n'


@contextmanager
def answering(folder: Path, reply: bytes) -> Iterator[Path]:
    """A control socket that reads one question, sends this and closes."""
    folder.mkdir(exist_ok=True)
    path = folder / "control.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            while True:
                try:
                    taken, _ = listening.accept()
                except OSError:
                    return
                with taken, contextlib.suppress(OSError):
                    taken.recv(1 << 20)
                    taken.sendall(reply)

        worker = threading.Thread(target=serve, daemon=True)
        worker.start()
        try:
            yield path
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            worker.join()


def refusal_of(path: Path, operation: str = "echo", **arguments: str) -> OperationRefused:
    """How the question is refused."""
    with pytest.raises(OperationRefused) as caught:
        ask(path, operation, arguments)
    return caught.value


def test_a_socket_of_another_user_says_whose_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not `[Errno 13]`, and not that no gateway runs; the superuser of a test may open everything."""

    def forbidden(self: socket.socket, address: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    refused = refusal_of(tmp_path / "control.sock")
    assert (refused.reason, refused.exit_code) == ("not-its-user", NOT_ALLOWED)
    assert "gateway's own user" in refused.sentence


def test_a_gateway_that_is_silent_is_not_taken_for_one_that_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the command would go on by itself and meet the lock of the store."""
    monkeypatch.setattr(control, "TIMEOUT", 0.05)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(tmp_path / "control.sock"))
        listening.listen()
        refused = refusal_of(tmp_path / "control.sock")
    assert (refused.reason, refused.exit_code) == ("no-answer", UNAVAILABLE)
    assert "does not answer" in refused.sentence


def test_a_question_that_is_cut_off_is_never_done_twice(tmp_path: Path) -> None:
    """A gateway that is killed with the question unread resets the connection: what it has done is not known."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(tmp_path / "control.sock"))
        listening.listen()
        question = Question(tmp_path / "control.sock", "bal.add", {})
        listening.accept()[0].close()
        assert question.answer() == b""


def test_a_question_that_is_too_large_says_so(tmp_path: Path) -> None:
    """It was taken for a gateway that does not run."""
    with answering(tmp_path, REPLY) as path:
        refused = refusal_of(path, text="x" * control.LINE_LIMIT)
    assert (refused.reason, refused.exit_code) == ("too-large", USAGE)


def test_octets_of_another_encoding_are_a_wrong_argument_and_no_fault_of_ours() -> None:
    """Only where the argument holds them."""
    with pytest.raises(UnicodeEncodeError) as caught:
        "caf\udce9".encode()
    refused = foreign_text(caught.value, {"row": "caf\udce9"})
    assert refused is not None
    assert refused.exit_code == USAGE
    assert foreign_text(caught.value, {"row": "café"}) is None


async def test_a_served_operation_says_the_same(tmp_path: Path) -> None:
    """Through the socket as in process, and nothing is logged as a fault."""

    async def encode(arguments: Arguments) -> Result:
        return {"octets": len(arguments["row"].encode())}

    answer = await control.run(encode, {"row": "caf\udce9"}, None)  # type: ignore[arg-type]
    assert (answer["ok"], answer["exit"], answer["reason"]) == (False, USAGE, "bad-argument")


def test_a_running_gateway_obeys_while_its_configuration_is_being_changed(tmp_path: Path) -> None:
    """At three in the morning with a damaged certificate: the commands that help must not need it."""
    config = tmp_path / "gateway.toml"
    config.write_text('[gateway]\nstate = "s"\nhostnam = "typo"\n[tls]\ncertificate = "none.pem"\n')
    with answering(tmp_path / "s", REPLY):
        status, said = run("person", "list", "--json", "-c", str(config))
    assert (status, json.loads(said)["rows"]) == (0, 7)
    status, said = run("person", "list", "--json", "-c", str(config))
    assert (status, json.loads(said)["reason"]) == (1, "config")


@pytest.mark.req("OPS-2", "OPS-6")
def test_the_doctor_sees_that_the_next_start_would_fail(tmp_path: Path) -> None:
    """The running gateway goes on with what it has read, so that nothing else tells."""
    config = tmp_path / "gateway.toml"
    config.write_text('[gateway]\nstate = "s"\nhostnam = "typo"\n')
    reply = b'{"ok":true,"result":{"healthy":true,"checks":[]}}\n'
    with answering(tmp_path / "s", reply):
        status, said = run("doctor", "--json", "-c", str(config))
        shown = run("doctor", "-c", str(config))
    found = json.loads(said)
    assert (status, found["healthy"]) == (1, False)
    assert [one["name"] for one in found["checks"]] == ["configuration"]
    assert "hostnam" in found["checks"][0]["evidence"]
    assert shown[0] == 1
    assert "before the next start" in shown[1]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/x/key"), "/x/key: permission denied: run the"),
        (OSError(errno.ENOSPC, "No space left on device"), "no space left on device: make room on the disk"),
        (OSError(errno.EMFILE, "Too many open files"), "too many open files: raise the limit"),
        (OSError(98, "error while attempting to bind"), "error while attempting to bind"),
        (ValueError("The store is locked"), "The store is locked"),
        (OSError("in its own words"), "in its own words"),
    ],
)
def test_what_the_system_refuses_is_a_sentence(error: Exception, sentence: str) -> None:
    """Without the number of the error."""
    assert why(error).startswith(sentence)


async def test_a_store_of_another_user_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that root ran beside a stopped gateway leaves such files."""

    def forbidden(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("mss_gateway.storage.sqlite.engine.refuse_incomplete", forbidden)
    with pytest.raises(Exception, match="chown -R"):
        await SqliteStore(SqliteOptions(tmp_path)).open()
