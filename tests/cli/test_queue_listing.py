"""`queue list` through the control socket: pages as they come, one document (QUE-3, OPS-1)."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mss_gateway.cli.call import running_control
from mss_gateway.ops.control import _line
from tests.support.commands import run

pytestmark = pytest.mark.req("QUE-3", "OPS-1")
TRAP = '"},{"id":7,\\"}\n],"more'
Answer = Callable[[dict[str, Any]], bytes]


def row(number: int) -> dict[str, Any]:
    """A row whose texts look like the document around them."""
    return {
        "id": number,
        "message_id": TRAP,
        "sender": "é@b.example",
        "recipient": "a@b.example",
        "domain": "b.example",
        "state": "waiting",
        "attempts": 0,
        "queued_at": 1.5,
        "next_attempt_at": 2.5,
        "last_attempt_at": None,
        "last_error": TRAP,
        "uncertain": 0,
        "size": 1,
        "hold_reason": "",
        "behind": None,
    }


def paged(rows: int) -> Answer:
    """So many rows, as the gateway answers."""

    def answer(asked: dict[str, Any]) -> bytes:
        after, limit = asked["arguments"]["after"], asked["arguments"]["limit"]
        last = min(rows, after + limit)
        found = {"next": last if last < rows else None, "rows": [row(n) for n in range(after + 1, last + 1)]}
        return _line({"ok": True, "result": found})

    return answer


@contextmanager
def gateway(folder: Path, answer: Answer) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A configuration beside a control socket that answers so, and what it was asked; octets are sent as they are."""
    (folder / "gateway.toml").write_text('[gateway]\nstate = "s"\n', encoding="utf-8")
    (folder / "s").mkdir()
    asked: list[dict[str, Any]] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "s" / "control.sock"))
        listener.listen()

        def serve() -> None:
            while True:
                taken, _ = listener.accept()
                with taken, taken.makefile("rb") as lines:
                    line = lines.readline()
                    if line == b"end\n":
                        return
                    if line:
                        asked.append(json.loads(line))
                        taken.sendall(answer(asked[-1]))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield str(folder / "gateway.toml"), asked
        finally:
            with socket.socket(socket.AF_UNIX) as last:
                last.connect(str(folder / "s" / "control.sock"))
                last.sendall(b"end\n")
            thread.join(60)


@pytest.mark.parametrize(
    ("rows", "words", "shown", "more"),
    [
        (0, ["--all"], 0, False),
        (2500, ["--all"], 2500, False),
        (2500, [], 100, True),
        (2500, ["--limit", "1500"], 1500, True),
        (1000, ["--limit", "1000"], 1000, False),
    ],
)
def test_one_document_of_all_pages(
    tmp_path: Path, rows: int, words: list[str], shown: int, more: bool
) -> None:
    """Each row once and unchanged, on a line of its own, whatever stands in its texts."""
    with gateway(tmp_path, paged(rows)) as (config, asked):
        status, said = run("queue", "list", *words, "--json", "-c", config)
    assert status == 0
    assert json.loads(said) == {"rows": [row(number) for number in range(1, shown + 1)], "more": more}
    assert len(said.splitlines()) == max(shown, 1) + 2
    assert len(asked) == max(1, -(-shown // 1000))


def test_a_page_that_was_cut_off_is_asked_for_anew(tmp_path: Path) -> None:
    """As when the reader of the output has let it wait for longer than the gateway does."""
    answers, cut = paged(2500), list[int]()

    def answer(asked: dict[str, Any]) -> bytes:
        line = answers(asked)
        if asked["arguments"]["after"] == 1000 and not cut:
            cut.append(1)
            return line[:5000]
        return line

    with gateway(tmp_path, answer) as (config, _):
        status, said = run("queue", "list", "--all", "--json", "-c", config)
    assert (status, cut) == (0, [1])
    assert [one["id"] for one in json.loads(said)["rows"]] == list(range(1, 2501))


def test_a_refusal_is_the_whole_answer(tmp_path: Path) -> None:
    """With its exit code."""
    refusal = {"ok": False, "error": "Non", "reason": "bad-argument", "exit": 2}
    with gateway(tmp_path, lambda _: _line(refusal)) as (config, _):
        status, said = run("queue", "list", "--json", "-c", config)
    assert (status, json.loads(said)["error"]) == (2, "Non")


def test_a_gateway_that_stops_half_way_is_told(tmp_path: Path) -> None:
    """Half an answer is none."""
    with gateway(tmp_path, lambda asked: paged(5)(asked)[:-9]) as (config, _):
        status, said = run("queue", "list", "--json", "-c", config)
    assert (status, json.loads(said)["reason"]) == (6, "no-answer")


def test_people_see_the_same_rows(tmp_path: Path) -> None:
    """The table is made of the same pages."""
    with gateway(tmp_path, paged(3)) as (config, _):
        status, said = run("queue", "list", "--limit", "2", "-c", config)
    assert status == 0
    assert "There are more rows" in said


def test_the_socket_is_where_the_settings_put_it(tmp_path: Path) -> None:
    """By the file or the environment; a file that says nothing useful leaves it to the settings."""
    config = tmp_path / "gateway.toml"
    for name in ("state/control.sock", "x.sock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / name))
    config.write_text("[gateway]\n", encoding="utf-8")
    assert running_control(config, {}) == tmp_path / "state" / "control.sock"
    assert running_control(config, {"MSS_GATEWAY_CONTROL_SOCKET": "x.sock"}) == tmp_path / "x.sock"
    assert running_control(config, {"MSS_GATEWAY_GATEWAY_STATE": "nowhere"}) is None
    config.write_text('[gateway]\n[control]\nsocket = "x.sock"\n', encoding="utf-8")
    assert running_control(config, {}) == tmp_path / "x.sock"
    for text in ("", "[gateway", "gateway = 1", "[gateway]\nstate = 3", "[gateway]\nstate = 'a\\u0000b'"):
        config.write_text(text, encoding="utf-8")
        assert running_control(config, {}) is None
    assert running_control(tmp_path / "none.toml", {}) is None
