"""Modified UTF-7, the spelling of mailbox names before UTF-8 is enabled (RFC 3501 section 5.1.3)."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, b2a_base64

_DIRECT = re.compile(rb"[\x20-\x25\x27-\x7e]*")
_OUTSIDE = re.compile(r"[^\x20-\x7e]+|&")


def _encode_run(match: re.Match[str]) -> str:
    run = match.group()
    if run == "&":
        return "&-"
    text = b2a_base64(run.encode("utf-16-be"), newline=False).rstrip(b"=").replace(b"/", b",")
    return "&" + text.decode("ascii") + "-"


def encode(name: str) -> bytes:
    """Return the modified UTF-7 of a Unicode mailbox name; raise UnicodeEncodeError on lone surrogates."""
    if name.isascii() and name.isprintable() and "&" not in name:
        return name.encode("ascii")
    return _OUTSIDE.sub(_encode_run, name).encode("ascii")


def _decode_run(run: bytes) -> str:
    padded = run.replace(b",", b"/") + b"=" * (-len(run) % 4)
    try:
        text = a2b_base64(padded, strict_mode=True).decode("utf-16-be")
    except (Error, UnicodeDecodeError) as error:
        raise ValueError("not modified UTF-7") from error
    if not text or b"/" in run or not re.fullmatch(r"[^\x20-\x7e]+", text):
        raise ValueError("not modified UTF-7: printable ASCII must stand for itself")
    return text


def decode(raw: bytes) -> str:
    """Return the Unicode name; raise ValueError unless `encode` gives back `raw`: a name has one spelling."""
    if b"&" not in raw:
        if _DIRECT.fullmatch(raw) is None:
            raise ValueError("octets outside printable ASCII in a mailbox name")
        return raw.decode("ascii")
    out: list[str] = []
    first, *runs = raw.split(b"&")
    out.append(decode(first))
    for part in runs:
        run, dash, rest = part.partition(b"-")
        if not dash:
            raise ValueError("modified UTF-7 shift that does not end")
        out.append(_decode_run(run) if run else "&")
        out.append(decode(rest))
    name = "".join(out)
    if encode(name) != raw:
        raise ValueError("a spelling of modified UTF-7 that is not the shortest")
    return name
