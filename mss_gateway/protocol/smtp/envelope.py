"""MAIL and RCPT, read and written (RFC 5321 section 4.1.1.2, RFC 3461, RFC 6531, BAL-10)."""

from __future__ import annotations

import re

from mss_gateway.mail.address import Address
from mss_gateway.mail.envelope import BodyType, Notify, Recipient

from .events import MailFrom, RcptTo
from .grammar import (
    MAIL_PARAMETERS,
    RCPT_PARAMETERS,
    CommandError,
    decode_xtext,
    encode_xtext,
    needs_smtputf8,
    read_address,
    read_parameters,
    required,
    split_command,
)

MAX_ENVID = 100
"""Characters of ENVID before xtext decoding (RFC 3461 section 4.4)."""
MAX_ORCPT = 500
"""Characters of ORCPT before xtext decoding (RFC 3461 section 4.2)."""

_SIZE = re.compile(r"[0-9]{1,20}\Z")
_ADDRESS_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*\Z")
_UNITEXT = re.compile(r"(?:[!-*,-<>-\[\]-~\u00a0-\U0010ffff]|\\x\{[0-9A-F]{2,6}\})+\Z")
_UNITEXT_HEX = re.compile(r"\\x\{([0-9A-F]{2,6})\}")
_UNITEXT_UNSAFE = re.compile(r"[\x00- +=\\\x7f]")
_BODIES = {body.value: body for body in BodyType}


def read_mail(argument: bytes) -> MailFrom:
    """Read what follows `MAIL `; raise `CommandError` with the reply that the fault deserves."""
    path, rest = split_command(argument, b"FROM:")
    if not rest and path:
        return MailFrom(read_address(path, smtputf8=False, enhanced="5.1.7"))
    given = read_parameters(rest, MAIL_PARAMETERS)
    smtputf8 = "SMTPUTF8" in given
    if smtputf8 and given["SMTPUTF8"] is not None:
        raise CommandError(501, "5.5.4", "SMTPUTF8 takes no value", "smtputf8-value")
    if not smtputf8 and not rest.isascii():
        raise needs_smtputf8()
    return MailFrom(
        read_address(path, smtputf8=smtputf8, enhanced="5.1.7") if path else None,
        _read_body(given),
        smtputf8,
        _read_size(given),
        _read_ret(given),
        _read_envid(given),
        _read_auth(given),
    )


def _read_size(given: dict[str, str | None]) -> int | None:
    if "SIZE" not in given:
        return None
    value = required(given["SIZE"])
    if not _SIZE.match(value):
        raise CommandError(501, "5.5.4", "SIZE wants up to 20 digits", "size-syntax")
    return int(value)


def _read_body(given: dict[str, str | None]) -> BodyType:
    if "BODY" not in given:
        return BodyType.SEVEN_BIT
    body = _BODIES.get(required(given["BODY"]).upper())
    if body is None:
        raise CommandError(501, "5.5.4", "BODY wants 7BIT, 8BITMIME or BINARYMIME", "body-value")
    return body


def _read_ret(given: dict[str, str | None]) -> str | None:
    if "RET" not in given:
        return None
    value = required(given["RET"]).upper()
    if value not in ("FULL", "HDRS"):
        raise CommandError(501, "5.5.4", "RET wants FULL or HDRS", "ret-value")
    return value


def _read_envid(given: dict[str, str | None]) -> str | None:
    if "ENVID" not in given:
        return None
    value = required(given["ENVID"])
    if len(value) > MAX_ENVID:
        raise CommandError(501, "5.5.4", "ENVID is longer than 100 characters", "envid-too-long")
    return decode_xtext(value)


def _read_auth(given: dict[str, str | None]) -> str | None:
    if "AUTH" not in given:
        return None
    value = required(given["AUTH"])
    return value if value == "<>" else decode_xtext(value)


def read_rcpt(argument: bytes, *, smtputf8: bool, postmaster: Address | None) -> RcptTo:
    """Read what follows `RCPT `; raise `CommandError` with the reply that the fault deserves.

    `postmaster` stands for the one recipient that needs no domain (RFC 5321 section 4.1.1.3).
    """
    path, rest = split_command(argument, b"TO:")
    if not path:
        raise CommandError(501, "5.1.3", "A recipient cannot be empty", "recipient-empty")
    if postmaster is not None and path.lower() == b"postmaster":
        address = postmaster
    else:
        address = read_address(path, smtputf8=smtputf8, enhanced="5.1.3")
    if not rest:
        return RcptTo(Recipient(address))
    if not (smtputf8 or rest.isascii()):
        raise needs_smtputf8()
    given = read_parameters(rest, RCPT_PARAMETERS)
    return RcptTo(Recipient(address, _read_notify(given), _read_orcpt(given)))


def _read_notify(given: dict[str, str | None]) -> frozenset[Notify]:
    if "NOTIFY" not in given:
        return frozenset()
    words = required(given["NOTIFY"]).upper().split(",")
    try:
        asked = frozenset(Notify(word) for word in words)
    except ValueError:
        raise CommandError(501, "5.5.4", "NOTIFY holds an unknown word", "notify-value") from None
    if len(asked) != len(words) or (Notify.NEVER in asked and len(asked) > 1):
        raise CommandError(501, "5.5.4", "NOTIFY repeats or contradicts itself", "notify-conflict")
    return asked


def _read_orcpt(given: dict[str, str | None]) -> str | None:
    if "ORCPT" not in given:
        return None
    value = required(given["ORCPT"])
    kind, semicolon, text = value.partition(";")
    if not (semicolon and text and _ADDRESS_TYPE.match(kind)) or len(value) > MAX_ORCPT:
        raise CommandError(501, "5.5.4", "ORCPT wants type;address", "orcpt-syntax")
    return f"{kind};{_read_unitext(text) if kind.lower() == 'utf-8' else decode_xtext(text)}"


def _read_unitext(text: str) -> str:
    """Read the address of a `utf-8;` ORCPT (RFC 6533 section 3)."""
    if not _UNITEXT.match(text):
        raise CommandError(501, "5.5.4", "Malformed utf-8 address in ORCPT", "orcpt-utf8")
    decoded = _UNITEXT_HEX.sub(_unitext_char, text)
    if not decoded.isprintable():
        raise CommandError(501, "5.5.4", "Control character in ORCPT", "orcpt-control")
    return decoded


def _unitext_char(found: re.Match[str]) -> str:
    point = int(found[1], 16)
    return chr(point) if point <= 0x10FFFF else "\0"  # NUL is refused just after as not printable


def write_mail(mail: MailFrom) -> bytes:
    """Return the MAIL line with CRLF, with the parameters that `mail` holds."""
    words = [f"MAIL FROM:<{mail.sender or ''}>"]
    if mail.size is not None:
        words.append(f"SIZE={mail.size}")
    if mail.body is not BodyType.SEVEN_BIT:
        words.append(f"BODY={mail.body.value}")
    if mail.smtputf8:
        words.append("SMTPUTF8")
    if mail.ret is not None:
        words.append(f"RET={mail.ret}")
    if mail.envid is not None:
        words.append(f"ENVID={encode_xtext(mail.envid)}")
    if mail.auth is not None:
        words.append(f"AUTH={mail.auth if mail.auth == '<>' else encode_xtext(mail.auth)}")
    return (" ".join(words) + "\r\n").encode()


def write_rcpt(recipient: Recipient) -> bytes:
    """Return the RCPT line with CRLF, with the DSN parameters that `recipient` holds."""
    words = [f"RCPT TO:<{recipient.address}>"]
    if recipient.notify:
        words.append("NOTIFY=" + ",".join(sorted(notify.value for notify in recipient.notify)))
    if recipient.orcpt is not None:
        kind, _, text = recipient.orcpt.partition(";")
        if kind.lower() == "utf-8":
            text = _UNITEXT_UNSAFE.sub(lambda found: f"\\x{{{ord(found[0]):02X}}}", text)
        else:
            text = encode_xtext(text)
        words.append(f"ORCPT={kind};{text}")
    return (" ".join(words) + "\r\n").encode()
