"""Another IMAP server that a mailbox is taken over from, read with imapclient; nothing there is changed (IMP-4)."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

IMAPS, IMAP = 993, 143
SECONDS = 60.0  # for one answer of the other server
LISTED = 500  # messages whose flags and dates are asked for together
GROUP = 1 << 20  # octets of messages that are fetched together
PART = 1 << 20  # octets of a larger one that are fetched at a time

SPECIAL_USES = ("\\Sent", "\\Drafts", "\\Trash", "\\Junk", "\\Archive")
_KNOWN_NAMES = {
    "sent": "\\Sent",
    "sent items": "\\Sent",
    "sent messages": "\\Sent",
    "envoyés": "\\Sent",
    "éléments envoyés": "\\Sent",
    "messages envoyés": "\\Sent",
    "drafts": "\\Drafts",
    "brouillons": "\\Drafts",
    "trash": "\\Trash",
    "deleted items": "\\Trash",
    "corbeille": "\\Trash",
    "éléments supprimés": "\\Trash",
    "junk": "\\Junk",
    "spam": "\\Junk",
    "indésirables": "\\Junk",
    "courrier indésirable": "\\Junk",
    "archive": "\\Archive",
    "archives": "\\Archive",
}
"""What servers without special uses call these folders (RFC 6154 names the uses, nothing names the folders)."""


class SourceFailed(Exception):
    """The other server cannot be reached, refuses the login, or went away; the text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the mailbox lies: `tls` from the first octet on, else STARTTLS. Passwords are never sent in the clear."""

    host: str
    port: int
    tls: bool
    user: str
    password: str = field(repr=False)
    ca: Path | None = None

    @property
    def source(self) -> str:
        """Account and server in one text, the same for every run."""
        return f"{self.user}@{self.host}:{self.port}"


def parse_place(url: str, user: str, password: str, ca: Path | None) -> Place:
    """Read `imaps://host[:port]` or `imap://host[:port]`; raises ValueError with a sentence."""
    parts = urlsplit(url)
    if parts.scheme not in ("imaps", "imap") or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError(
            "--from is imaps://host or imap://host (which then uses STARTTLS), with :port if need be"
        )
    if parts.username or parts.password:
        raise ValueError("the account goes into --user and --password, not into --from")
    tls = parts.scheme == "imaps"
    return Place(parts.hostname, parts.port or (IMAPS if tls else IMAP), tls, user, password, ca)


@dataclass(frozen=True, slots=True)
class SourceFolder:
    """A folder there: its name as the server has it, the name and use that it gets here, how many messages it holds."""

    name: str
    own_name: str
    special_use: str
    messages: int


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a message before its octets; `date` is epoch seconds."""

    uid: int
    flags: tuple[str, ...]
    date: float
    size: int


class Source:
    """One session. Every method raises `SourceFailed`."""

    def __init__(self, place: Place) -> None:
        context = ssl.create_default_context(cafile=str(place.ca) if place.ca else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with _understood(f"{place.host}:{place.port}"):
            self._client = IMAPClient(
                place.host,
                place.port,
                ssl=place.tls,
                ssl_context=context if place.tls else None,
                timeout=SECONDS,
            )
            self._client.normalise_times = False
            if not place.tls:
                self._client.starttls(context)
            self._client.login(place.user, place.password)

    def close(self) -> None:
        """Log out, or leave when that is not possible any more."""
        with contextlib.suppress(IMAPClientError, OSError, ValueError):
            self._client.logout()

    def folders(self) -> list[SourceFolder]:
        """All folders that hold messages, the way they will be called here."""
        with _understood("LIST"):
            listed = self._client.list_folders()
            prefix = self._prefix()
            found: list[SourceFolder] = []
            taken: set[str] = set()
            for flags, delimiter, name in listed:
                words = {_text(flag).lower() for flag in flags}
                if words & {"\\noselect", "\\nonexistent"}:
                    continue
                own = _own_name(_text(name), _text(delimiter or b""), prefix)
                use = _special_use(words, own)
                if use in taken:
                    use = ""
                taken |= {use} - {""}
                counted = self._client.folder_status(name, ["MESSAGES"])
                found.append(SourceFolder(_text(name), own, use, int(counted[b"MESSAGES"])))
            return found

    def open(self, name: str) -> tuple[int, list[int]]:
        """Open a folder for reading only; return its UIDVALIDITY and all UIDs."""
        with _understood(name):
            selected: Any = self._client.select_folder(name, readonly=True)
            uids = sorted(self._client.search("ALL")) if selected[b"EXISTS"] else []
            return int(selected[b"UIDVALIDITY"]), uids

    def listed(self, uids: Sequence[int]) -> Iterator[list[Found]]:
        """Flags, dates and sizes of messages of the open folder, in groups to be fetched together."""
        for at in range(0, len(uids), LISTED):
            with _understood("FETCH"):
                answered: Any = self._client.fetch(
                    uids[at : at + LISTED], ["FLAGS", "INTERNALDATE", "RFC822.SIZE"]
                )
            group: list[Found] = []
            for uid in sorted(answered):
                one = _found(uid, answered[uid])
                if group and sum(other.size for other in group) + one.size > GROUP:
                    yield group
                    group = []
                group.append(one)
            if group:
                yield group

    def octets(self, uids: Sequence[int]) -> dict[int, bytes]:
        """The whole messages of these UIDs; one expunged meanwhile is left out."""
        with _understood("FETCH"):
            answered: Any = self._client.fetch(uids, ["BODY.PEEK[]"])
        return {uid: bytes(row[b"BODY[]"]) for uid, row in answered.items() if row.get(b"BODY[]") is not None}

    def parts(self, uid: int, size: int) -> Iterator[bytes]:
        """One large message, piece by piece."""
        at = 0
        while at < size:
            with _understood("FETCH"):
                answered: Any = self._client.fetch([uid], [f"BODY.PEEK[]<{at}.{PART}>"])
            row = answered.get(uid, {})
            data = next(
                (bytes(value) for key, value in row.items() if key.startswith(b"BODY[]") and value), b""
            )
            if not data:
                return
            yield data
            at += len(data)

    def _prefix(self) -> str:
        """What stands before every personal folder but INBOX (`INBOX.` of some servers)."""
        if not self._client.has_capability("NAMESPACE"):
            return ""
        personal = self._client.namespace().personal
        return _text(personal[0][0]) if personal else ""


@contextlib.contextmanager
def _understood(what: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise SourceFailed(
            f"{what}: its certificate is not trusted ({error.verify_message}); --ca names the CA to trust"
        ) from None
    except (IMAPClientError, OSError, KeyError, ValueError) as error:
        text = str(error) or type(error).__name__
        raise SourceFailed(f"{what}: {text}") from None


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _own_name(name: str, delimiter: str, prefix: str) -> str:
    if prefix and name.startswith(prefix):
        name = name[len(prefix) :]
    levels = name.split(delimiter) if delimiter else [name]
    return "/".join(level.replace("/", "-").strip() or "-" for level in levels)


def _special_use(words: set[str], own: str) -> str:
    for use in SPECIAL_USES:
        if use.lower() in words:
            return use
    return _KNOWN_NAMES.get(own.lower(), "")


def _found(uid: int, row: Any) -> Found:
    flags = tuple(flag for flag in map(_text, row.get(b"FLAGS", ())) if flag.lower() != "\\recent")
    date = row.get(b"INTERNALDATE")
    return Found(uid, flags, date.timestamp() if date else 0.0, int(row.get(b"RFC822.SIZE", 0)))
