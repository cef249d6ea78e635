"""Chromium without a screen: what a page looks like, and what of it is in the document in the end."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .foreign import require_program

PATIENCE = 150


class Chromium:
    """One profile below a scratch folder; the server is known by the key of its certificate."""

    def __init__(self, root: Path, certificate: Path) -> None:
        self._program = require_program("chromium")
        self._root = root
        leaf = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
        key = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self._key = base64.b64encode(hashlib.sha256(key).digest()).decode()

    def screenshot(self, url: str, width: int, height: int, *, dark: bool = False) -> bytes:
        """The page as PNG."""
        picture = self._root / "picture.png"
        mood = ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if dark else []
        self._run(
            f"--screenshot={picture}", f"--window-size={width},{height}", "--hide-scrollbars", *mood, url
        )
        return picture.read_bytes()

    def document(self, url: str) -> str:
        """The document as HTML, once it is there."""
        return self._run("--dump-dom", url)

    def _run(self, *arguments: str) -> str:
        command = [
            self._program,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--host-resolver-rules=MAP * 127.0.0.1",
            "--no-proxy-server",
            f"--user-data-dir={self._root / 'chromium'}",
            f"--ignore-certificate-errors-spki-list={self._key}",
            *arguments,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
        return done.stdout
