"""A throw-away OpenID provider on loopback, shaped like Pro Santé Connect: what `mss-gateway dev` logs in with.

`python -m mss_gateway.dev.provider FOLDER PORT` serves with the publisher's certificate of a trust space. Its token
endpoint gives a token for the sample person to whoever asks: nothing here is ever trusted outside of the sample.
"""

from __future__ import annotations

import http.server
import json
import signal
import ssl
import sys
import threading
import time
from base64 import b64encode
from collections import Counter
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from .provider_names import CLIENT, DOCUMENT, ENDPOINTS, LIFE, REALM, SUBJECT
from .provider_tokens import Issuer

PATIENCE = 10.0  # seconds that a client may be silent
SECRET = "secret-d-essai"
"""What a gateway proves itself with when it asks about a token; throw-away like all of this."""


class OpenIdProvider(http.server.ThreadingHTTPServer):
    """Serves one `Issuer` over TLS on loopback.

    `broken` replaces the answers by path suffix: a status with octets that are sent instead; `delay` seconds pass
    before each answer, which also waits until `gate` is open. `counts` are the requests by path suffix.
    """

    daemon_threads = True

    def __init__(self, folder: Path, port: int = 0, algorithm: str = "ES256") -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self.tls.load_cert_chain(folder / "publisher.pem", folder / "publisher.key")
        self.tls.load_verify_locations(folder / "ca.pem")
        self.tls.verify_mode = ssl.CERT_OPTIONAL  # a gateway may prove itself by its certificate (RFC 8705)
        self._algorithm = algorithm
        self._thread: threading.Thread | None = None
        self.reset()

    def __enter__(self) -> OpenIdProvider:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), name="provider", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        if self._thread is not None:
            self._thread.join()

    def reset(self) -> None:
        """Begin anew: other keys, nothing broken, nothing counted."""
        self.issuer = Issuer(f"https://localhost:{self.server_port}", self._algorithm)
        self.counts: Counter[str] = Counter()
        self.broken: dict[str, tuple[int, bytes]] = {}
        self.delay = 0.0
        self.gate = threading.Event()
        self.gate.set()

    def answer(
        self, path: str, form: dict[str, str], authorization: str, *, certified: bool = False
    ) -> tuple[int, Any]:
        """Status and JSON of one request; `certified` tells that the client has shown a certificate of the space."""
        issuer = self.issuer
        match path:
            case "document":
                return HTTPStatus.OK, issuer.document()
            case "certs":
                return HTTPStatus.OK, issuer.key_set()
            case "userinfo":
                told = issuer.userinfo(authorization.removeprefix("Bearer "))
                return (HTTPStatus.OK, told) if told is not None else (HTTPStatus.UNAUTHORIZED, {})
            case "introspect" if authorization == _BASIC or (certified and form.get("client_id") == CLIENT):
                return HTTPStatus.OK, issuer.introspection(form.get("token", ""))
            case "introspect":
                return HTTPStatus.UNAUTHORIZED, {"error": "invalid_client"}
            case "token":
                token = issuer.token(form.get("subject", SUBJECT))
                return HTTPStatus.OK, {"access_token": token, "token_type": "Bearer", "expires_in": LIFE}
        return HTTPStatus.NOT_FOUND, {"error": "not_found"}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no event."""


_BASIC = f"Basic {b64encode(f'{CLIENT}:{SECRET}'.encode()).decode()}"
_PATHS = {
    REALM + DOCUMENT: "document",
    f"{REALM}{ENDPOINTS}/certs": "certs",
    f"{REALM}{ENDPOINTS}/userinfo": "userinfo",
    f"{REALM}{ENDPOINTS}/token/introspect": "introspect",
    f"{REALM}{ENDPOINTS}/token": "token",
}


class _Handler(http.server.BaseHTTPRequestHandler):
    server: OpenIdProvider
    timeout = PATIENCE
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # header and body in one packet: the second of two would wait for an acknowledgement
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """The handshake is made in the thread of the connection: a silent client holds up nobody else."""
        self.request.settimeout(PATIENCE)
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def do_GET(self) -> None:
        """Document, keys, userinfo."""
        self._answer({})

    def do_POST(self) -> None:
        """Token, introspection."""
        length = min(int(self.headers.get("Content-Length") or 0), 64 * 1024)
        fields = parse_qs(self.rfile.read(length).decode("ascii", "replace"))
        self._answer({name: values[0] for name, values in fields.items()})

    def _answer(self, form: dict[str, str]) -> None:
        path = _PATHS.get(self.path, "")
        self.server.counts[path] += 1
        time.sleep(self.server.delay)
        self.server.gate.wait(PATIENCE)
        broken = self.server.broken.get(path)
        if broken is not None:
            status, body = broken
        else:
            certified = isinstance(self.request, ssl.SSLSocket) and bool(self.request.getpeercert())
            authorization = self.headers.get("Authorization", "")
            status, told = self.server.answer(path, form, authorization, certified=certified)
            body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if 300 <= status < 400:
            self.send_header("Location", body.decode())
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a token may stand in what came."""


def main() -> None:
    """Serve until SIGTERM."""
    provider = OpenIdProvider(Path(sys.argv[1]), int(sys.argv[2]))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    provider.serve_forever()


if __name__ == "__main__":
    main()
