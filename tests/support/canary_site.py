"""What surrounds the gateway of the canary test: provider, directory, collector, service manager, and their secrets."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from mss_gateway.dev.provider import SECRET as CLIENT_SECRET
from mss_gateway.dev.provider import OpenIdProvider
from mss_gateway.dev.provider_names import CLIENT, DOCUMENT
from tests.support.doors import sample
from tests.support.fhir import KEY, FhirServer
from tests.support.publisher import publishing, unused_port

ADMIN = "canarisupervision-0123456789"


class Collector:
    """Takes whatever spans are sent to it, as octets."""

    def __init__(self) -> None:
        taken = self.octets = list[bytes]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                taken.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}/v1/traces"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


class Site:
    """The peers with what they heard; `more` are the sections of the configuration that lead to them."""

    def __init__(self, folder: Path, stack: ExitStack, *, mode: str) -> None:
        self.folder = folder
        space = Path(sample()[1].ca).parent
        self.ca = str(space / "ca.pem")
        self.provider = stack.enter_context(OpenIdProvider(space))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(space / "publisher.pem", space / "publisher.key")
        self.fhir = FhirServer(stack.enter_context(publishing(None, folder, context=context)))
        self.collector = Collector()
        stack.callback(self.collector.server.server_close)
        stack.callback(self.collector.server.shutdown)
        self.manager = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.manager.bind(str(folder / "notify"))
        self.manager.setblocking(False)
        self.encryption_key, self.backup_key = os.urandom(32), os.urandom(32)
        self.token = self.provider.issuer.token()
        self.ops, self.plain = unused_port(), unused_port()
        self.more = self._sections(mode)

    def _file(self, name: str, octets: bytes) -> str:
        """A private file with this line; its path for the configuration."""
        path = self.folder / name
        path.write_bytes(octets)
        path.chmod(0o600)
        return json.dumps(str(path))

    def _sections(self, mode: str) -> str:
        ring = (
            b"ancienne " + b64encode(os.urandom(32)) + b"\nactuelle " + b64encode(self.encryption_key) + b"\n"
        )
        issuer = self.provider.issuer.issuer
        (self.folder / "backups").mkdir()
        return f"""
[http]
listen = ["127.0.0.1:{self.ops}"]
plain = ["127.0.0.1:{self.plain}"]
url = "https://localhost:{self.ops}"
imap_host = "localhost"
submission_host = "localhost"
admin_token_file = {self._file("ops-token", ADMIN.encode())}
metrics_from = ["127.0.0.1"]

[oidc]
mode = "{mode}"
issuer = "{issuer}"
document = "{DOCUMENT}"
clients = ["{CLIENT}"]
ca = [{json.dumps(self.ca)}]
timeout = 1.0
keys_pause = 1.0
client_id = "{CLIENT}"
client_secret_file = {self._file("client.secret", CLIENT_SECRET.encode())}

[directory]
fhir_url = "{self.fhir.base}"
fhir_key_file = {self._file("fhir.key", KEY.encode())}
fhir_ca = [{json.dumps(self.ca)}]
fhir_timeout = 2.0

[keep]
backup_to = {json.dumps(str(self.folder / "backups"))}
backup_every_hours = 24.0
backup_key_file = {self._file("backup.key", self.backup_key)}

[encryption]
mode = "on"
key_file = {self._file("ring", ring)}

[telemetry]
endpoint = "{self.collector.endpoint}"
share = 1.0
"""

    def secrets(self) -> dict[str, str]:
        """What belongs to the peers, by what it is, in the spelling of `Scene.secrets`."""
        found = {"admin token": ADMIN, "key of the directory": KEY, "client secret": CLIENT_SECRET}
        _, claims, signature = self.token.split(".")
        found |= {"token's claims": claims, "token's signature": signature}
        found["admin token in Basic"] = b64encode(f"ops:{ADMIN}".encode()).decode()
        for name, key in (("encryption key", self.encryption_key), ("backup key", self.backup_key)):
            found |= {name: b64encode(key).decode(), f"{name} in hexadecimal": key.hex()}
        return {name: secret.lower() for name, secret in found.items()}

    def room(self, name: str) -> Path:
        """A folder of its own."""
        path = self.folder / name
        path.mkdir()
        return path

    def told(self) -> list[str]:
        """What the service manager has heard."""
        heard = []
        while True:
            try:
                heard.append(self.manager.recv(4096).decode("utf-8", "replace"))
            except BlockingIOError:
                return heard


@contextmanager
def surroundings(folder: Path, *, mode: str = "jwks") -> Iterator[Site]:
    """The peers while they serve; `mode` is that of [oidc]."""
    with ExitStack() as stack:
        yield Site(folder, stack, mode=mode)
