"""A gateway with its ops door open, and clients of it over real sockets."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
from lxml import html

from mss_gateway.dev.handout import Credential
from mss_gateway.ops.http_options import HttpOptions, Place
from mss_gateway.settings import Settings

from .doors import Change, Served, gateway_in_thread

TOKEN = "jeton-de-supervision-0123456789"
PLACES = (Place("127.0.0.1", 0), Place("127.0.0.1", 0, secure=False))
FAMILY = re.compile(r"^# TYPE (\S+) ", re.MULTILINE)
HELPED = re.compile(r"^# HELP (\S+) \S+", re.MULTILINE)


def opened(folder: Path, **choices: Any) -> Change:
    """Opens the ops door: over TLS, and in the clear on loopback."""

    def change(settings: Settings) -> Settings:
        token = folder / "token"
        token.write_text(TOKEN + "\n", encoding="ascii")
        given: dict[str, Any] = {"places": PLACES, "token_file": token, **choices}
        # The sample's certificates name this machine as localhost.
        services = replace(settings.http.services, imap_host="localhost", submission_host="localhost")
        return replace(settings, http=replace(settings.http, services=services, **given))

    return change


@contextmanager
def ops_gateway(
    folder: Path,
    *changes: Change,
    loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
    **choices: Any,
) -> Iterator[OpsServed]:
    """A gateway whose ops door is open."""
    (folder / "g").mkdir()
    with gateway_in_thread(folder / "g", opened(folder, **choices), *changes, loop=loop) as served:
        yield OpsServed(served)


class OpsServed:
    """The door's addresses and clients of it."""

    def __init__(self, served: Served) -> None:
        assert served.running is not None
        self.served = served
        self.ports = served.running.ops_ports
        self.port = self.ports[0]
        self.url = f"https://localhost:{self.port}"
        self.domain = served.account("PER").address.partition("@")[2]

    @property
    def options(self) -> HttpOptions:
        """What the door was told."""
        return self.served.settings.http

    def client(self, credential: Credential | None = None, **more: Any) -> httpx2.Client:
        """A client that trusts the sample's authority, with a certificate of its own when one is given."""
        context = ssl.create_default_context(cafile=self.served.handout.ca)
        if credential is not None:
            context.load_cert_chain(credential.cert, credential.key)
        return httpx2.Client(base_url=self.url, verify=context, timeout=60.0, trust_env=False, **more)

    def get(self, path: str, **more: Any) -> httpx2.Response:
        """One answer over a connection of its own."""
        with self.client() as client:
            return client.get(path, **more)

    def admin(self, path: str) -> httpx2.Response:
        """One answer for who knows the token."""
        return self.get(path, auth=("ops", TOKEN))

    def curl(self, *arguments: str) -> str:
        """What Debian's curl shows, header included; raises `CalledProcessError`."""
        command = [
            "curl",
            "-q",
            "-sS",
            "-i",
            "--noproxy",
            "*",
            "--cacert",
            self.served.handout.ca,
            *arguments,
        ]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    def raw(self, octets: bytes, *, plain: bool = True, patience: float = 60.0) -> bytes:
        """What comes back for these octets until the door closes."""
        connection: socket.socket = socket.create_connection(
            ("127.0.0.1", self.ports[1 if plain else 0]), patience
        )
        if not plain:
            context = ssl.create_default_context(cafile=self.served.handout.ca)
            connection = context.wrap_socket(connection, server_hostname="localhost")
        with connection:
            connection.settimeout(patience)
            try:
                connection.sendall(octets)
            except OSError:
                return b""  # it has closed before all of it had come
            answer = b""
            try:
                while data := connection.recv(65536):
                    answer += data
            except ConnectionError:
                pass
            return answer


def parsed(text: str) -> Any:
    """A page as a document."""
    return html.fromstring(text)
