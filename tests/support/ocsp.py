"""An OCSP responder on loopback that says what a test wants, however wrong; and certificates that name it."""

from __future__ import annotations

import asyncio
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID as Access
from cryptography.x509.oid import ExtendedKeyUsageOID

from mss_gateway.trust import der
from tests.support.pki import Authority, Issued, Subject

GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN
KIND = "application/ocsp-response"
PATIENCE = 30.0  # seconds that a silent responder holds a connection at most


@dataclass
class Voice:
    """How an authority's answers are made; every part may be wrong. Times are hours from now.

    `signer` None is the authority itself; `sent` are the certificates that come with the answer.
    """

    authority: Authority
    status: ocsp.OCSPCertStatus = GOOD
    signer: Issued | None = None
    sent: Sequence[x509.Certificate] = ()
    this_update: float = -1.0
    next_update: float | None = 1.0
    digest: hashes.HashAlgorithm = field(default_factory=hashes.SHA256)
    about: x509.Certificate | None = None  # instead of the certificate asked about
    answered: hashes.HashAlgorithm = field(default_factory=hashes.SHA1)  # of the CertID

    def says(self, certificate: x509.Certificate) -> bytes:
        """The answer about a certificate, DER."""
        now = datetime.now(UTC)
        revoked = self.status is REVOKED
        signer = self.signer or self.authority.issued
        builder = ocsp.OCSPResponseBuilder().add_response(
            self.about or certificate,
            self.authority.certificate,
            self.answered,
            self.status,
            now + timedelta(hours=self.this_update),
            None if self.next_update is None else now + timedelta(hours=self.next_update),
            now - timedelta(hours=2) if revoked else None,
            None,
        )
        if self.sent:
            builder = builder.certificates(self.sent)
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
        return builder.sign(signer.key, self.digest).public_bytes(Encoding.DER)


def element(tag: int, *content: bytes) -> bytes:
    """One DER element."""
    whole = b"".join(content)
    size = len(whole)
    if size < 0x80:
        return bytes((tag, size)) + whole
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + whole


def handmade(authority: Authority, *answers: bytes, sha1: bool = False) -> bytes:
    """What the library does not make: the single answers of several in one, signed with SHA-256 or SHA-1 (EC)."""
    signed = [ocsp.load_der_ocsp_response(one).tbs_response_bytes for one in answers]
    singles, before = b"", b""
    for one in signed:
        _, at, end = der.element(one, 0)
        start = at
        while at < end:
            tag, content, after = der.element(one, at)
            if tag == 0x30:
                singles += one[content:after]
                before = one[start:at]
            at = after
    tbs = element(0x30, before, element(0x30, singles))
    key = authority.issued.key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = key.sign(tbs, ec.ECDSA(hashes.SHA1() if sha1 else hashes.SHA256()))
    algorithm = bytes.fromhex("300906072a8648ce3d0401" if sha1 else "300a06082a8648ce3d040302")
    basic = element(0x30, tbs, algorithm, element(0x03, b"\0", signature))
    kind = bytes.fromhex("06092b0601050507300101")
    inner = element(0xA0, element(0x30, kind, element(0x04, basic)))
    return element(0x30, element(0x0A, b"\0"), inner)


def refusal(status: ocsp.OCSPResponseStatus = ocsp.OCSPResponseStatus.TRY_LATER) -> bytes:
    """An answer without content, which nobody signs."""
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


def delegated(authority: Authority, *, usage: bool = True, no_check: bool = True, days: int = 30) -> Issued:
    """A responder's certificate; `days` may be negative for one that has expired."""
    now = datetime.now(UTC)
    usages = (ExtendedKeyUsageOID.OCSP_SIGNING,) if usage else ()
    span = (now - timedelta(days=60), now + timedelta(days=days))
    made = authority.issue(
        Subject("ocsp.igc.test"), usages=usages, hosts=(), not_before=span[0], not_after=span[1]
    )
    return _more(authority, made, x509.OCSPNoCheck()) if no_check else made


def naming(authority: Authority, issued: Issued, url: str) -> Issued:
    """The same leaf with the responder's address in it, behind one of its issuer's certificate."""
    places = x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(Access.CA_ISSUERS, x509.UniformResourceIdentifier("http://127.0.0.1/ca")),
            x509.AccessDescription(Access.OCSP, x509.UniformResourceIdentifier(url)),
        ]
    )
    return _more(authority, issued, places)


def _more(authority: Authority, issued: Issued, extension: x509.ExtensionType) -> Issued:
    old = issued.certificate
    builder = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.issuer)
        .public_key(old.public_key())
        .serial_number(old.serial_number)
        .not_valid_before(old.not_valid_before_utc)
        .not_valid_after(old.not_valid_after_utc)
    )
    for one in old.extensions:
        builder = builder.add_extension(one.value, one.critical)
    builder = builder.add_extension(extension, critical=False)
    return Issued(builder.sign(authority.issued.key, hashes.SHA256()), issued.key, issued.chain)


def over_http(body: bytes, *, status: str = "200 OK", kind: str = KIND) -> bytes:
    """A body as a web server sends it."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass
class Responder:
    """A responder under way: `answer` makes the octets to send of each question; `asked` are the questions.

    `manner` `silent` never answers, `drip` sends an octet now and then for ever, `held` waits for `release`.
    """

    url: str
    answer: Callable[[ocsp.OCSPRequest], bytes]
    manner: str = ""
    asked: list[ocsp.OCSPRequest] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    met: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)

    def speaks(self, voice: Voice, *certificates: x509.Certificate) -> None:
        """From now on this voice answers about these certificates."""
        known = {one.serial_number: one for one in certificates}
        self.manner = ""
        self.answer = lambda asked: over_http(voice.says(known[asked.serial_number]))

    async def reached(self) -> None:
        """Wait until somebody has asked."""
        assert await asyncio.to_thread(self.met.wait, PATIENCE)

    def sends(self, octets: bytes) -> None:
        """From now on exactly these octets."""
        self.manner = ""
        self.answer = lambda asked: octets

    def _serve(self, plain: socket.socket) -> None:
        file = plain.makefile("rb")
        head = b"".join(iter(file.readline, b"\r\n"))
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        self.heads.append(head)
        asked = ocsp.load_der_ocsp_request(file.read(length))
        self.asked.append(asked)
        self.met.set()
        if self.manner == "silent":
            self.over.wait(PATIENCE)
        elif self.manner == "held":
            self.release.wait(PATIENCE)
            plain.sendall(self.answer(asked))
        elif self.manner == "drip":
            plain.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not self.over.wait(0.02):
                plain.sendall(b"x")
        else:
            plain.sendall(self.answer(asked))


@contextmanager
def responder(voice: Voice, *certificates: x509.Certificate) -> Iterator[Responder]:
    """A responder of its own port that speaks with this voice about these certificates."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # whoever asked has gone, as it may
                one._serve(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        one = Responder(f"http://127.0.0.1:{server.server_address[1]}/ocsp", lambda asked: b"")
        one.speaks(voice, *certificates)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield one
        finally:
            one.over.set()
            one.release.set()
            server.shutdown()
            thread.join()
