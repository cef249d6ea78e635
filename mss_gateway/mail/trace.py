"""Trace fields put in front of a received message (RTE-7; RFC 5321 section 4.4, RFC 8601)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .compose import ascii_line, fold
from .dates import format_date

_HOST = re.compile(r"[A-Za-z0-9.:_\[\]-]{1,255}\Z")
_COMMENT_UNSAFE = re.compile(r"[()\\]")
_LABEL_UNSAFE = re.compile(r"[^A-Za-z0-9.@_=/+-]")
_LONGEST = 300  # characters of any one value told in a trace field


@dataclass(frozen=True, slots=True)
class Reception:
    """How a message came in. `at` is epoch seconds, `offset` minutes east of UTC.

    `tls` and `cipher` are empty without TLS; `auth` is the type of identity proved (`mtls`, `plain`,
    `external`), empty when none; `recipient` is named only when it is the only one.
    """

    helo: str
    peer_ip: str
    by: str
    id: str
    at: float
    tls: str = ""
    cipher: str = ""
    auth: str = ""
    smtputf8: bool = False
    lmtp: bool = False
    recipient: str | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class AuthResult:
    """One method's verdict: `auth=pass smtp.auth=…`; `properties` are `ptype.name` with their values."""

    method: str
    result: str
    properties: tuple[tuple[str, str], ...] = ()
    reason: str = ""


def _comment(text: str) -> str:
    return _COMMENT_UNSAFE.sub("_", ascii_line(text[:_LONGEST]))


def _host(text: str) -> str:
    return text if _HOST.match(text) else "unknown"


def return_path(sender: str) -> bytes:
    """Return the Return-Path field of a reverse path; empty text is the null sender."""
    return b"Return-Path: <" + "".join(sender.split()).encode("utf-8", "replace") + b">\r\n"


def without_return_path(header: bytes) -> bytes:
    """Return a stored header block for another server: Return-Path is for the last one alone (RFC 5321 section 4.4)."""
    return header[header.index(b"\n") + 1 :] if header.startswith(b"Return-Path: <") else header


def protocol_keyword(reception: Reception) -> str:
    """Return the WITH keyword (RFC 3848, RFC 6531 section 4.3): ESMTPSA, UTF8SMTPS, LMTPA…"""
    base = "LMTP" if reception.lmtp else "SMTP" if reception.smtputf8 else "ESMTP"
    secure, known = "S" if reception.tls else "", "A" if reception.auth and reception.auth != "mtls" else ""
    return f"{'UTF8' if reception.smtputf8 else ''}{base}{secure}{known}"


@lru_cache(maxsize=4096)
def _clauses(
    helo: str, peer_ip: str, by: str, tls: str, cipher: str, auth: str, keyword: str, recipient: str | None
) -> tuple[bytes, bytes]:
    """What stands before and after the id; peers on kept connections repeat all of it."""
    clauses = [f"from {_host(helo)} ([{_host(peer_ip)}])"]
    if tls:
        clauses.append(f"(using {_comment(tls)} with cipher {_comment(cipher)})")
    if auth:
        clauses.append(f"(authenticated by {_comment(auth)})")
    clauses.append(f"by {_host(by)} with {keyword} id")
    before = fold("Received", "\r\n ".join(clauses)).removesuffix(b"\r\n") + b" "
    if recipient and not re.search(r"[<>\s;]", recipient):
        return before, b"\r\n for <" + recipient.encode("utf-8", "replace") + b">;\r\n "
    return before, b";\r\n "


def received(reception: Reception) -> bytes:
    """Return the Received field: peer, TLS version and cipher, type of identity, protocol, id, date."""
    one = reception
    before, after = _clauses(
        one.helo, one.peer_ip, one.by, one.tls, one.cipher, one.auth, protocol_keyword(one), one.recipient
    )
    date = format_date(one.at, one.offset).encode("ascii")
    return b"".join((before, _comment(one.id).encode("ascii"), after, date, b"\r\n"))


def _value(text: str) -> str:
    cut = ascii_line(text[:_LONGEST])
    if cut and not _LABEL_UNSAFE.search(cut):
        return cut
    escaped = cut.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@lru_cache(maxsize=4096)
def authentication_results(authserv_id: str, results: tuple[AuthResult, ...]) -> bytes:
    """Return the Authentication-Results field (RFC 8601); `none` when no method was tried."""
    if not results:
        return fold("Authentication-Results", f"{_host(authserv_id)}; none")
    clauses: list[str] = []
    for one in results:
        text = f"{_LABEL_UNSAFE.sub('', one.method)}={_LABEL_UNSAFE.sub('', one.result)}"
        if one.reason:
            text += f" reason={_value(one.reason)}"
        for name, value in one.properties:
            text += f" {_LABEL_UNSAFE.sub('', name)}={_value(value)}"
        clauses.append(text)
    return fold("Authentication-Results", "\r\n ".join((f"{_host(authserv_id)};", *_joined(clauses))))


def _joined(clauses: list[str]) -> list[str]:
    return [text + ";" for text in clauses[:-1]] + clauses[-1:]
