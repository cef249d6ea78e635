"""The publisher of the throw-away trust space: the signed list over HTTPS, the CRLs over HTTP (TRU-2, TRU-3).

`python -m mss_gateway.dev.publisher FOLDER LIST_PORT CRL_PORT` serves the files of a trust space as they are at each
request, so that one who signs another list or revokes a certificate sees the gateways take it up.
"""

from __future__ import annotations

import http.server
import signal
import ssl
import sys
import threading
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path

LIST, CRLS = "liste-blanche.xml", "crls.pem"
"""Names of the files, in the folder and in the addresses."""

PATIENCE = 10.0  # seconds that a client may be silent


class Publisher(http.server.ThreadingHTTPServer):
    """Serves some files of a folder on loopback."""

    def __init__(self, folder: Path, port: int, names: tuple[str, ...], tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.folder, self.names, self.tls = folder, names, tls


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Publisher
    timeout = PATIENCE

    def setup(self) -> None:
        """The handshake is made in the thread of the connection: a silent client holds up nobody else."""
        if self.server.tls is not None:
            self.request.settimeout(PATIENCE)
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def do_GET(self) -> None:
        """One file, whole, or 304 when the client has it already."""
        name = self.path.removeprefix("/")
        try:
            if name not in self.server.names:
                raise FileNotFoundError
            path = self.server.folder / name
            data, changed = path.read_bytes(), int(path.stat().st_mtime)
        except OSError:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        if self._has(changed):
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.end_headers()
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Last-Modified", formatdate(changed, usegmt=True))
        self.end_headers()
        self.wfile.write(data)

    def _has(self, changed: int) -> bool:
        try:
            return parsedate_to_datetime(self.headers.get("If-Modified-Since", "")).timestamp() >= changed
        except (ValueError, TypeError):
            return False

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: who fetches logs it."""


def main() -> None:
    """Serve until SIGTERM."""
    folder = Path(sys.argv[1])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.load_cert_chain(folder / "publisher.pem", folder / "publisher.key")
    over_tls = Publisher(folder, int(sys.argv[2]), (LIST,), tls)
    plain = Publisher(folder, int(sys.argv[3]), (CRLS,), None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    threading.Thread(target=plain.serve_forever, daemon=True).start()
    over_tls.serve_forever()


if __name__ == "__main__":
    main()
