"""What nobody catches is told by type and place: no text of an exception, no word of a peer, no traceback (AUD-5)."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from mss_gateway.app.crashes import keep_silent
from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log, LogOptions

CANARY = "canaricorps 154092A12345664 canari-mot-de-passe"


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Iterator[io.StringIO]:
    """What the log says while the hooks are set; nothing is printed beside it."""
    out = io.StringIO()
    undo = keep_silent(Log(LogOptions("console", "debug"), Figures(), out))
    yield out
    undo()
    assert "canari" not in "".join(capfd.readouterr())
    assert "canari" not in out.getvalue()


@pytest.mark.req("AUD-5")
def test_a_thread_that_dies(said: io.StringIO) -> None:
    """With its place, and counted as a fault of ours."""

    def dies() -> None:
        raise ValueError(CANARY)

    thread = threading.Thread(target=dies)
    thread.start()
    thread.join()
    assert "gateway-fault" in said.getvalue()
    assert "error=ValueError" in said.getvalue()
    assert "dies" in said.getvalue()


@pytest.mark.req("AUD-5")
def test_an_end_that_cannot_be_raised(said: io.StringIO) -> None:
    """What fails while it is being thrown away."""

    class Falls:
        def __del__(self) -> None:
            raise KeyError(CANARY)

    falling = Falls()
    del falling
    assert "error=KeyError" in said.getvalue()


@pytest.mark.req("AUD-5")
def test_a_library_that_warns(said: io.StringIO) -> None:
    """Its name, the place and the kind of error; what is below a warning is nothing."""
    logger = logging.getLogger("library.of.somebody")
    logger.warning("the peer answered %s", CANARY)
    logger.info(CANARY)
    try:
        raise OSError(CANARY)
    except OSError:
        logger.exception(CANARY)
    # What an earlier test has left behind may be collected just now, and its library warn of it.
    lines = [line for line in said.getvalue().splitlines() if "library=library.of.somebody" in line]
    assert len(lines) == 2
    assert all("library-warning" in line for line in lines)
    assert "error=OSError" in lines[1]


@pytest.mark.req("AUD-5")
@pytest.mark.parametrize("outside", [True, False])
def test_serve_prints_no_traceback(outside: bool) -> None:
    """Whatever escapes, before the gateway is built or from one of its tasks: one line with type and place."""
    program = f"""
import asyncio
import typer
from mss_gateway.app import gateway
from mss_gateway.cli.serving import serve_settings
async def run(*_):
    async def task():
        raise RuntimeError({CANARY!r})
    if {outside}:
        raise LookupError({CANARY!r})
    async with asyncio.TaskGroup() as group:
        group.create_task(task())
gateway.run = run
try:
    serve_settings(None)
except typer.Exit as end:
    raise SystemExit(end.exit_code) from None
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode != 0
    assert "canari" not in done.stdout + done.stderr
    assert "154092" not in done.stdout + done.stderr
    kind = "LookupError" if outside else "RuntimeError"
    assert f"A fault of the gateway: {kind} at" in done.stderr


@pytest.mark.req("AUD-5")
def test_what_reaches_the_end_of_the_process(said: io.StringIO) -> None:
    """The interpreter's own last word; Ctrl-C keeps its usual end."""
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    assert "error=ValueError" in said.getvalue()
