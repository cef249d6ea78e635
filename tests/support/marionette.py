"""A client of Marionette, the remote control of Gecko programs: JSON with its length before it, over TCP."""

from __future__ import annotations

import base64
import json
import socket
import time
from typing import Any

HOST = "127.0.0.1"
SCRIPT_SECONDS = 60.0
"""How long one script may take; a promise that it returns is waited for."""


class MarionetteError(Exception):
    """The program answered a command with an error; the text has its kind, its message and where it arose."""


class Marionette:
    """One session with privileges: scripts run in the program itself, not in a page of it."""

    def __init__(self, port: int, wait: float) -> None:
        """Connect as soon as the program listens, within `wait` seconds; raises `ConnectionError`."""
        limit = time.monotonic() + wait
        while True:
            try:
                self._socket = socket.create_connection((HOST, port), 1.0)
                break
            except OSError:
                if time.monotonic() > limit:
                    raise
                time.sleep(0.05)
        self._socket.settimeout(SCRIPT_SECONDS + 5)
        self._buffer = b""
        self._number = 0
        self._packet()  # who it is; sent before any command
        self._ask("WebDriver:NewSession")
        self._ask("Marionette:SetContext", value="chrome")
        self._ask("WebDriver:SetTimeouts", script=int(SCRIPT_SECONDS * 1000))

    def run(self, script: str, *args: object) -> Any:
        """What the body of an asynchronous function of these `arguments` gives.

        Raises `MarionetteError` for an exception in it and after `SCRIPT_SECONDS`.
        """
        body = f"return (async function () {{\n{script}\n}}).apply(null, arguments);"
        return self._ask("WebDriver:ExecuteScript", script=body, args=args, sandbox="system")["value"]

    def screenshot(self) -> bytes:
        """The program's main window as PNG."""
        return base64.b64decode(self._ask("WebDriver:TakeScreenshot", full=True, hash=False)["value"])

    def quit(self) -> None:
        """Ask the program to end; it closes the connection before or after it has answered."""
        try:
            self._ask("Marionette:Quit", flags=["eForceQuit"])
        except OSError:
            return
        finally:
            self._socket.close()

    def _ask(self, command: str, **parameters: object) -> Any:
        self._number += 1
        data = json.dumps([0, self._number, command, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(data), data))
        while True:
            kind, number, error, result = self._packet()
            if (kind, number) != (1, self._number):
                continue
            if error is not None:
                raise MarionetteError(f"{error['error']}: {error['message']}\n{error['stacktrace']}")
            return result

    def _packet(self) -> Any:
        while (colon := self._buffer.find(b":")) < 0:
            self._more()
        end = colon + 1 + int(self._buffer[:colon])
        while len(self._buffer) < end:
            self._more()
        data, self._buffer = self._buffer[colon + 1 : end], self._buffer[end:]
        return json.loads(data)

    def _more(self) -> None:
        data = self._socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the program has closed the connection")
        self._buffer += data
