"""The grammar of envelope commands, both ways: MAIL and RCPT with their parameters (RFC 5321 section 4.1.2).

The server reads with it, the relay's client writes with it; reading what was written gives the same
value. No text of the peer is ever echoed in a refusal.
"""

from __future__ import annotations

import re
from typing import Final

from mss_gateway.base.errors import GatewayError, InvalidValue
from mss_gateway.mail.address import Address, parse_address

_PATH = re.compile(rb'<((?:"(?:[^"\\]|\\.)*"|[^"<>]++)*)>(?= |\Z)')
_KEYWORD = re.compile(rb"[A-Za-z0-9][A-Za-z0-9-]*\Z")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*\Z")
_XTEXT_PAIR = re.compile(r"\+([0-9A-F]{2})")
_XTEXT_UNSAFE = re.compile(r"[^!-*,-<>-~]")


class CommandError(GatewayError):
    """A command that is answered with a refusal while the session goes on; never leaves the core.

    `public` is safe to send, `reason` a stable slug.
    """

    def __init__(self, code: int, enhanced: str, public: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.enhanced = enhanced
        self.public = public
        self.reason = reason


def encode_xtext(text: str) -> str:
    """Return `text` (ASCII) as xtext (RFC 3461 section 4): `+`, `=`, spaces and controls as `+XX`."""
    return _XTEXT_UNSAFE.sub(lambda found: f"+{ord(found[0]):02X}", text)


def decode_xtext(text: str) -> str:
    """Read xtext; raise `CommandError` when it is malformed or hides a control character.

    RFC 3461 wants the decoded text printable: it goes into headers of reports.
    """
    if not _XTEXT.match(text):
        raise CommandError(501, "5.5.4", "Malformed xtext in a parameter", "xtext-syntax")
    decoded = _XTEXT_PAIR.sub(lambda found: chr(int(found[1], 16)), text)
    if not (decoded.isascii() and decoded.isprintable()):
        raise CommandError(501, "5.5.4", "Control character in a parameter", "xtext-control")
    return decoded


def split_command(argument: bytes, keyword: bytes) -> tuple[bytes, bytes]:
    """Split `FROM:<path> params` (or `TO:`) into path without brackets and parameters.

    Raises `CommandError` when the keyword or the brackets are missing.
    """
    if argument[: len(keyword)].upper() != keyword:
        raise CommandError(501, "5.5.4", f"Syntax: {keyword.decode()}<address>", "path-keyword")
    path = _PATH.match(argument, len(keyword))
    if not path:
        raise CommandError(501, "5.5.4", f"Syntax: {keyword.decode()}<address>", "path-syntax")
    return path[1], argument[path.end() :]


def read_parameters(text: bytes, known: frozenset[str]) -> dict[str, str | None]:
    """Read `SP keyword[=value]` pairs, keywords in upper case, values as sent.

    Raises `CommandError`: 555 for a keyword not in `known`, 501 for a bad or repeated one.
    """
    found: dict[str, str | None] = {}
    for word in text.split():
        name, equals, value = word.partition(b"=")
        if not _KEYWORD.match(name) or b"=" in value or (equals and not value):
            raise CommandError(501, "5.5.4", "Malformed parameter", "parameter-syntax")
        keyword = name.decode("ascii").upper()
        if keyword not in known:
            raise CommandError(555, "5.5.4", "Parameter not recognised", "parameter-unknown")
        if keyword in found:
            raise CommandError(501, "5.5.4", "Parameter given twice", "parameter-repeated")
        found[keyword] = text_of(value) if equals else None
    return found


def text_of(octets: bytes) -> str:
    """Decode UTF-8 strictly; raise `CommandError` when it is not."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise CommandError(501, "5.5.2", "Not valid UTF-8", "not-utf-8") from None


def needs_smtputf8() -> CommandError:
    """Return the refusal of an address outside ASCII without SMTPUTF8 (RFC 6531 section 3.5)."""
    return CommandError(553, "5.6.7", "This address needs SMTPUTF8", "needs-smtputf8")


def read_address(path: bytes, *, smtputf8: bool, enhanced: str) -> Address:
    """Read the mailbox between the brackets; `enhanced` is the status of a bad one (5.1.3, 5.1.7).

    Raises `CommandError`: 553 for non-ASCII without SMTPUTF8 (RFC 6531), 501 or 553 otherwise.
    """
    if path.startswith(b"@"):
        raise CommandError(553, enhanced, "Source routes are not accepted", "source-route")
    if not (smtputf8 or path.isascii()):
        raise needs_smtputf8()
    try:
        return parse_address(text_of(path))
    except InvalidValue as error:
        raise CommandError(553, enhanced, error.public.capitalize(), error.reason) from None


def required(value: str | None) -> str:
    """Return a parameter's value; raise `CommandError` when the parameter came without one."""
    if value is None:
        raise CommandError(501, "5.5.4", "Parameter without a value", "parameter-value")
    return value


MAIL_PARAMETERS: Final = frozenset({"SIZE", "BODY", "SMTPUTF8", "RET", "ENVID", "AUTH"})
"""Parameters of MAIL that the EHLO keywords promise (RFC 1870, 6152, 3030, 6531, 3461, 4954)."""

RCPT_PARAMETERS: Final = frozenset({"NOTIFY", "ORCPT"})
"""Parameters of RCPT that DSN promises (RFC 3461)."""
