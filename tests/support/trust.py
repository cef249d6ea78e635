"""A trust space for one test: files that a test may replace, and real TLS handshakes on loopback."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path

from mss_gateway.base.errors import Refuse
from mss_gateway.dev.listing import SIGNER, Entry, new_signer, signed_list
from mss_gateway.trust.guard import Trust
from mss_gateway.trust.options import TrustOptions
from mss_gateway.trust.peer import PeerIdentity
from mss_gateway.trust.refusals import tls_refusal
from tests.support.pki import Authority, Issued, Pki, Subject, new_pki, write_file

OURS = Subject("mx.clinique-exemple.mssante.fr", o="PASSERELLE ESSAI")
THEIRS = Subject("mx.hopital-voisin.mssante.fr", ou="1750000018", o="HOPITAL VOISIN")
HOSTED, FOREIGN = "clinique-exemple.mssante.fr", "hopital-voisin.mssante.fr"


@cache
def shared_pki() -> Pki:
    """One hierarchy for all tests that do not spoil it: making RSA keys takes time."""
    return new_pki()


@cache
def shared_signer() -> Issued:
    """The list signer of the shared hierarchy."""
    return new_signer(shared_pki().organisations)


@dataclass
class World:
    """The files of a trust space below `folder`, and the options that name them."""

    folder: Path
    pki: Pki = field(default_factory=shared_pki)
    signer: Issued = field(default_factory=shared_signer)

    def __post_init__(self) -> None:
        write_file(self.folder / "ca.pem", self.pki.ca_pem)
        self.ours = self.pki.organisations.issue(OURS)
        self.ours.write(self.folder, "ours")
        self.put_crls()
        self.put_list()

    def put_crls(self, revoked: Iterable[Issued | Authority | int] = ()) -> None:
        """Fresh CRLs that name these leaves."""
        write_file(self.folder / "crls.pem", self.pki.crls(revoked))

    def put_crl_files(self, *crls: bytes) -> None:
        """Exactly these CRLs."""
        write_file(self.folder / "crls.pem", b"".join(crls))

    def put_list(self, entries: Sequence[Entry] | None = None, *, generated: datetime | None = None) -> bytes:
        """Sign and write a list; by default ours and the neighbour's domain."""
        if entries is None:
            entries = (Entry(HOSTED, OURS.listed()), Entry(FOREIGN, THEIRS.listed()))
        data = signed_list(entries, self.signer, generated=generated)
        write_file(self.folder / "list.xml", data)
        return data

    @property
    def options(self) -> TrustOptions:
        """Options of the realm test with a state folder."""
        return TrustOptions(
            ca_files=(self.folder / "ca.pem",),
            crl_files=(self.folder / "crls.pem",),
            certificate=self.folder / "ours.pem",
            key=self.folder / "ours.key",
            list_file=self.folder / "list.xml",
            list_signer=SIGNER.listed(),
            state=self.folder / "state",
            test_authorities=True,
        )

    def trust(self, **changes: object) -> Trust:
        """Open the trust space, some options changed."""
        return Trust(replace(self.options, **changes))  # type: ignore[arg-type]

    def peer_context(self, issued: Issued | None, *, verify: bool = True) -> ssl.SSLContext:
        """A foreign client's context, with what is not ours: no CRLs, default ciphers."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
        context.load_verify_locations(cadata=self.pki.ca_pem.decode())
        if issued is not None:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.load_cert_chain(*issued.write(self.folder / "peers", f"{issued.serial:x}"))
        return context


def reason_of(judged: PeerIdentity | Refuse) -> str:
    """The slug of a refusal, empty for an identity."""
    return judged.reason if isinstance(judged, Refuse) else ""


@dataclass(frozen=True)
class Met:
    """How a handshake ended on both sides: a slug, or empty when it stood; what the server saw."""

    server: str
    client: str
    der: bytes | None
    version: str
    reused: bool
    session: ssl.SSLSession | None


def meet(server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None = None) -> Met:
    """One blocking handshake over a socket pair, with a byte each way and a clean end."""
    left, right = socket.socketpair()
    left.settimeout(30)
    right.settimeout(30)
    seen: dict[str, object] = {"server": "", "client": ""}

    def attempt(side: str, act: Callable[[], None], end: socket.socket) -> None:
        try:
            act()
        except OSError as error:
            seen[side] = tls_refusal(error)[0]
        finally:
            end.close()

    def serve() -> None:
        with server.wrap_socket(left, server_side=True, do_handshake_on_connect=False) as tls:
            tls.do_handshake()
            seen.update(der=tls.getpeercert(True), version=tls.version(), reused=tls.session_reused)
            tls.sendall(b"+")
            tls.recv(1)
            tls.unwrap()

    def call() -> None:
        with client.wrap_socket(right, session=session, do_handshake_on_connect=False) as tls:
            tls.do_handshake()
            tls.recv(1)
            seen["session"] = tls.session
            tls.sendall(b"-")
            tls.unwrap()

    thread = threading.Thread(target=attempt, args=("server", serve, left))
    thread.start()
    attempt("client", call, right)
    thread.join()
    return Met(
        str(seen["server"]),
        str(seen["client"]),
        seen.get("der"),  # type: ignore[arg-type]
        str(seen.get("version", "")),
        bool(seen.get("reused")),
        seen.get("session"),  # type: ignore[arg-type]
    )
