"""Authorities, CRLs and the TLS contexts made of them: one consistent state, replaced whole (TRU-2)."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from .anchors import Anchors, load_anchors
from .contexts import (
    TlsFiles,
    client_server_context,
    mta_server_context,
    outbound_context,
    own_certificate,
)
from .fetched import FetchedCrls
from .options import TrustOptions
from .peer import PeerBook
from .refusals import TrustProblem
from .revocation import RevocationLists, load_revocation

EXPIRY_WARNING = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something an operator should look at; the gateway goes on meanwhile. `about` tells two of one reason apart."""

    reason: str
    sentence: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Material:
    """One consistent state of authorities, CRLs and own certificates; never changed, only replaced."""

    anchors: Anchors
    crls: RevocationLists
    peers: PeerBook
    mta: ssl.SSLContext
    client: ssl.SSLContext
    outbound: ssl.SSLContext
    rebuild_at: float  # epoch seconds at which the grace of a CRL begins or ends

    @property
    def sessions(self) -> int:
        """TLS 1.2 sessions that the fuller server context remembers."""
        return max(self.mta.session_stats()["number"], self.client.session_stats()["number"])


def own_files(options: TrustOptions) -> tuple[TlsFiles, TlsFiles]:
    """Our certificates: towards operators, and towards mail clients."""
    mta = TlsFiles(options.certificate, options.key)
    return mta, TlsFiles(options.client_certificate or mta.certificate, options.client_key or mta.key)


def read_material(
    options: TrustOptions, before: Material | None, now: float, fetched: FetchedCrls
) -> Material:
    """Read every file of the options; raises `TrustProblem`. CRLs of `before` stay unless newer ones came."""
    anchors = load_anchors(options.ca_files, test_authorities=options.test_authorities)
    crls = load_revocation(
        options.crl_files, anchors, before.crls if before else None, fetched.usable(anchors)
    )
    peers = PeerBook(anchors, min_rsa_bits=options.min_rsa_bits, st_is_l=options.st_is_l)
    return compose(options, anchors, crls, peers, now)


def compose(
    options: TrustOptions, anchors: Anchors, crls: RevocationLists, peers: PeerBook, now: float
) -> Material:
    """Build the contexts for the moment `now`, epoch seconds; raises `TrustProblem`.

    OpenSSL knows no grace: while a CRL is past its time but within the grace, its own check is left
    out and `check_peer`, which every connection passes, keeps revocation.
    """
    mta_files, client_files = own_files(options)
    grace = options.crl_grace_hours * 3600
    ends = [one.next_update.timestamp() for one in crls.by_issuer.values()]
    in_grace = any(end < now <= end + grace for end in ends)
    turns = [at for end in ends for at in (end, end + grace) if at > now]
    ca, crl = anchors.pem, None if in_grace else crls.pem
    mta = mta_server_context(mta_files, ca, crl)
    return Material(
        anchors,
        crls,
        peers,
        mta,
        mta if client_files == mta_files else client_server_context(client_files, ca, crl),
        outbound_context(mta_files, ca, crl),
        min(turns, default=float("inf")) + 1 if grace else float("inf"),
    )


def material_alarms(options: TrustOptions, material: Material, now: datetime) -> list[Alarm]:
    """CRLs out of date, and our own certificates that have ended or will within 30 days."""
    found = []
    for one in material.crls.by_issuer.values():
        if one.next_update < now:
            issuer = one.issuer.rfc4514_string()
            found.append(Alarm("crl-stale", f"the CRL of {issuer} is out of date: fetch it again", issuer))
    for files in dict.fromkeys(own_files(options)):
        found.extend(_own_alarms(files, now))
    return found


def _own_alarms(files: TlsFiles, now: datetime) -> list[Alarm]:
    where = str(files.certificate)
    try:
        certificate = own_certificate(files)
    except TrustProblem as problem:
        return [Alarm(problem.reason, problem.sentence, where)]
    until = certificate.not_valid_after_utc
    if until < now:
        return [Alarm("own-expired", f"{files.certificate}: our certificate has expired: renew it", where)]
    if until < now + EXPIRY_WARNING:
        sentence = f"{files.certificate}: our certificate ends on {until:%Y-%m-%d}: renew it"
        return [Alarm("own-expiring", sentence, where)]
    return []


def stamps(options: TrustOptions) -> tuple[tuple[int, int, int], ...]:
    """What tells that a file of the options has changed: time, size and inode of each; zeros when absent."""
    mta, client = own_files(options)
    paths = (
        *options.ca_files,
        *options.crl_files,
        *options.list_signer_ca_files,
        *(mta.certificate, mta.key, client.certificate, client.key),
        *([options.list_file] if options.list_file is not None else []),
    )
    return tuple(_stamp(path) for path in paths)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_size, status.st_ino)
