"""Trace fields put in front of a received message (RTE-7; RFC 5321 section 4.4, RFC 8601)."""

from __future__ import annotations

import re
from dataclasses import dataclass

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


def protocol_keyword(reception: Reception) -> str:
    """Return the WITH keyword (RFC 3848, RFC 6531 section 4.3): ESMTPSA, UTF8SMTPS, LMTPA…"""
    base = "LMTP" if reception.lmtp else "SMTP" if reception.smtputf8 else "ESMTP"
    secure, known = "S" if reception.tls else "", "A" if reception.auth and reception.auth != "mtls" else ""
    return f"{'UTF8' if reception.smtputf8 else ''}{base}{secure}{known}"


def received(reception: Reception) -> bytes:
    """Return the Received field: peer, TLS version and cipher, type of identity, protocol, id, date."""
    clauses = [f"from {_host(reception.helo)} ([{_host(reception.peer_ip)}])"]
    if reception.tls:
        clauses.append(f"(using {_comment(reception.tls)} with cipher {_comment(reception.cipher)})")
    if reception.auth:
        clauses.append(f"(authenticated by {_comment(reception.auth)})")
    clauses.append(f"by {_host(reception.by)} with {protocol_keyword(reception)} id {_comment(reception.id)}")
    if reception.recipient and not re.search(r"[<>\s;]", reception.recipient):
        clauses.append(f"for <{reception.recipient}>")
    clauses[-1] += ";"
    clauses.append(format_date(reception.at, reception.offset))
    return fold("Received", "\r\n ".join(clauses))


def _value(text: str) -> str:
    cut = ascii_line(text[:_LONGEST])
    if cut and not _LABEL_UNSAFE.search(cut):
        return cut
    escaped = cut.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


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
