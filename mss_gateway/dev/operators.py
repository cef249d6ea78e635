"""Runs the three operators of the trust space as processes, with their name server and smarthost."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib.util
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mss_gateway.ops.operation import OperationRefused

from .configuration import LOOPBACK, Layout
from .provision import Ask, Request, carry_out, mailboxes, patients
from .sample import CONFIG, PreparationFailed, prepare_three, zone_of

if TYPE_CHECKING:
    from aiosmtpd.controller import Controller

    from .dns import NameServer

START_TIMEOUT = 60.0  # seconds
STOP_TIMEOUT = 40.0  # seconds; longer than the drain
POLL = 0.02  # seconds between two looks at what starts
GATEWAYS = ("professional", "patients")
PUBLISHER = "publisher"
PROVIDER = "provider"
CONTROL = "control.sock"
LOG = "log"
_PR_SET_PDEATHSIG = 1  # Linux's prctl.h


class ChildFailed(PreparationFailed):
    """A process of the trust space did not start, or ended; the text names it and ends with its last words."""


class Operators:
    """The running trust space; a context manager that ends every process it has started.

    Entering raises `PreparationFailed`. `nameserver` is the running name server, whose zone and moods may be changed.
    """

    def __init__(self, state: Path, base_port: int) -> None:
        self._state, self._base = state.absolute(), base_port
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._smarthost: Controller | None = None
        self.nameserver: NameServer | None = None

    def __enter__(self) -> Operators:
        if importlib.util.find_spec("aiosmtpd") is None:
            raise PreparationFailed("the independent operator needs aiosmtpd: pip install 'mss-gateway[dev]'")
        try:
            self._start()
        except BaseException as failed:
            self._stop()
            if isinstance(failed, OSError | OperationRefused):
                raise PreparationFailed(str(failed)) from None
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _start(self) -> None:
        space, self.handout = prepare_three(self._state, self._base)
        # Processes before threads: what runs between fork and exec must find no lock held.
        self._publish(Path(space.folder))
        for name in (*GATEWAYS, "neighbour"):
            self._spawn(name)
        from .dns import NameServer  # what is imported from here on would only hold up the processes
        from .smarthost import new_smarthost

        self.nameserver = NameServer(zone_of(space), LOOPBACK, Layout(self._base).nameserver)
        self.nameserver.start()
        assert self.handout.smarthost is not None
        host = self.handout.smarthost
        self._smarthost = new_smarthost(Path(host.folder), host.host, host.port)
        self._smarthost.start()
        self._provision(mailboxes(space, self.handout), patients(self.handout))
        neighbour = self.handout.neighbour
        assert neighbour is not None
        self._wait(lambda: _listens(neighbour.host, neighbour.port))
        self._wait(lambda: _listens(LOOPBACK, Layout(self._base).provider))

    def _publish(self, space: Path) -> None:
        """Our gateway fetches list and CRLs before it serves for the first time."""
        layout = Layout(self._base)
        ports = (layout.list_publisher, layout.crl_publisher)
        self._run(PUBLISHER, "mss_gateway.dev.publisher", str(space), *map(str, ports))
        self._run(PROVIDER, "mss_gateway.dev.provider", str(space), str(layout.provider))
        self._wait(lambda: all(_listens(LOOPBACK, port) for port in ports))

    def _spawn(self, name: str) -> None:
        folder = self._state / name
        if name in GATEWAYS:
            self._run(name, "mss_gateway", "serve", "--config", str(folder / CONFIG))
        else:
            self._run(name, "mss_gateway.dev.neighbour", str(folder))

    def _run(self, name: str, *command: str) -> None:
        folder = self._state / name
        folder.mkdir(mode=0o700, exist_ok=True)
        with (folder / LOG).open("ab") as log:
            self._children[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,
            )

    def _provision(self, ours: list[Request], theirs: list[Request]) -> None:
        """Both gateways at once, as each one gets ready."""
        failures: list[Exception] = []

        def work(name: str, requests: list[Request]) -> None:
            try:
                self._wait(lambda: _obeys(self._state / name / CONTROL))
                asyncio.run(carry_out(requests, _asking(self._state / name / CONTROL)))
            except (PreparationFailed, OperationRefused, OSError) as failed:
                failures.append(failed)

        pairs = zip(GATEWAYS, (ours, theirs), strict=True)
        threads = [threading.Thread(target=work, args=pair) for pair in pairs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def _wait(self, ready: Any) -> None:
        limit = time.monotonic() + START_TIMEOUT
        while not ready():
            self.check()
            if time.monotonic() > limit:
                raise PreparationFailed("the trust space did not start in time")
            time.sleep(POLL)

    def check(self) -> None:
        """Raise `ChildFailed` when one of the processes has ended."""
        for name, child in self._children.items():
            status = child.poll()
            if status is not None:
                last = _tail(self._state / name / LOG)
                raise ChildFailed(f"the process of the {name} operator ended with {status}: {last}")

    def watch(self) -> None:
        """Wait for ever; raises `ChildFailed` when a process ends."""
        while True:
            self.check()
            time.sleep(0.5)

    def kill(self, name: str) -> None:
        """SIGKILL to the process of `professional`, `patients` or `neighbour`, in the middle of whatever it does."""
        child = self._children.pop(name)
        child.kill()
        child.wait()

    def start(self, name: str) -> None:
        """Start a killed gateway again, on what it has on disk; raises `PreparationFailed`."""
        self._spawn(name)
        self._wait(lambda: _obeys(self._state / name / CONTROL))

    def _stop(self) -> None:
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
        for child in self._children.values():
            try:
                child.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._children.clear()
        if self._smarthost is not None and self._smarthost.server is not None:
            self._smarthost.stop()
        if self.nameserver is not None:
            self.nameserver.stop()
            self.nameserver = None


def running(state: Path) -> bool:
    """Whether both gateways of this folder obey now."""
    return all(_obeys(state.absolute() / name / CONTROL) for name in GATEWAYS)


def _asking(control: Path) -> Ask:
    from mss_gateway.ops.control import ask

    async def ask_running(operation: str, arguments: Mapping[str, Any]) -> object:
        return ask(control, operation, arguments)

    return ask_running


def _obeys(control: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.connect(str(control))
    except OSError:
        return False
    return True


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 1.0).close()
    except OSError:
        return False
    return True


def _end_with_parent() -> None:
    """Linux: a child does not outlive a killed parent and keep its ports."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _tail(path: Path, lines: int = 3) -> str:
    return " / ".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
