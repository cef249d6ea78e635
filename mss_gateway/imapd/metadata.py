"""GETMETADATA and SETMETADATA (RFC 5464), METADATA in LIST (RFC 9590), and who did what (BAL-3)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime

from mss_gateway.ports.annotations import SERVER, Done, TooManyAnnotations
from mss_gateway.ports.mailboxes import Folder, NoSuchFolder
from mss_gateway.ports.records import BoxRow
from mss_gateway.protocol.imap import Ending, Request, metadata_lines
from mss_gateway.protocol.imap.commands_metadata import GetMetadata, SetMetadata
from mss_gateway.protocol.imap.commands_notify import Occasion
from mss_gateway.rules.activity import told
from mss_gateway.rules.exchange import SHARED_TYPES

from .names import find, shown
from .rights import require, rights_of
from .session import NOPERM, CommandFailed, Session

OURS = ("/shared/vendor/mss-gateway", "/private/vendor/mss-gateway")
"""Below these names everything is computed, and set by nobody."""

ACTIVITY = f"{OURS[0]}/activity"
"""The latest acts in a shared mailbox, a line each; `/<UID>` after it gives those on one message."""

LATEST = 50
"""Acts that one value tells."""

COMMENT, ADMIN = "/shared/comment", "/shared/admin"
_ENOUGH = frozenset("rswip")
Values = dict[str, bytes | None]


async def get_metadata(session: Session, request: Request) -> None:
    """GETMETADATA of a mailbox or of the server."""
    command = request.command
    assert isinstance(command, GetMetadata)
    if command.mailbox:
        box, folder = await find(session, command.mailbox)
        await _check(session, box, folder)
        name = shown(session, box, folder.name)
        values = await _values(session, box, folder, command.entries, command.depth)
    else:
        name = ""
        values = await _server_values(session, command.entries, command.depth)
    limit = command.max_size
    long = [
        len(value)
        for value in values.values()
        if value is not None and limit is not None and len(value) > limit
    ]
    if limit is not None:
        values = {entry: value for entry, value in values.items() if value is None or len(value) <= limit}
    if values:
        session.send(metadata_lines.values(name, values, utf8=session.core.utf8))
    code = b"METADATA LONGENTRIES %d" % max(long) if long else b""
    session.core.tagged(Ending.OK, "done", code=code)


async def set_metadata(session: Session, request: Request) -> None:
    """SETMETADATA: all entries or none."""
    command = request.command
    assert isinstance(command, SetMetadata)
    options = session.parts.options
    for entry, value in command.values:
        if entry.startswith(tuple(f"{ours}/" for ours in OURS)):
            raise CommandFailed("This entry is computed here and cannot be set", b"CANNOT")
        if value is not None and len(value) > options.annotation_size:
            raise CommandFailed("The value is too large", b"METADATA MAXSIZE %d" % options.annotation_size)
    box_id = folder_id = SERVER
    if command.mailbox:
        box, folder = await find(session, command.mailbox)
        await _check(session, box, folder)
        box_id, folder_id = box.id, folder.id
    elif any(entry.startswith("/shared/") for entry, _ in command.values):
        raise CommandFailed("What the server says to all is set by its operator", NOPERM)
    try:
        changed = await session.mailboxes.annotate(
            folder_id, session.who.person_id, dict(command.values), options.annotations
        )
    except TooManyAnnotations:
        raise CommandFailed("There are too many annotations", b"METADATA TOOMANY") from None
    session.parts.hub.notices.changed(session, box_id, folder_id, changed)
    session.core.tagged(Ending.OK, "done")


async def send_listed(
    session: Session, name: str, box: BoxRow, folder: Folder, entries: Sequence[str]
) -> None:
    """METADATA of one mailbox of LIST; left out where it may not be read, or has just gone (RFC 9590 section 3)."""
    with contextlib.suppress(NoSuchFolder, CommandFailed):
        await _check(session, box, folder)
        values = await _values(session, box, folder, entries, 0)
        session.send(metadata_lines.values(name, values, utf8=session.core.utf8))


async def tell_changes(session: Session) -> None:
    """Tell what others have changed, if the client has said ENABLE METADATA and there is anything."""
    notices = session.parts.hub.notices
    if not notices.waiting(session):
        return
    pending = notices.take(session)
    boxes = {box.id: box for box in session.who.boxes} if pending else {}
    for (box_id, folder_id), entries in pending.items():
        name = ""
        if not _heard(session, folder_id):
            continue
        if folder_id != SERVER:
            box = boxes[box_id]
            there = {folder.id: folder for folder in await session.mailboxes.folders(box_id)}
            folder = there.get(folder_id)
            if folder is None or not await _may(session, box, folder):
                continue
            name = shown(session, box, folder.name)
        session.send(metadata_lines.changed(name, entries, utf8=session.core.utf8))


def _heard(session: Session, folder_id: int) -> bool:
    """Once there was a NOTIFY, it says of which annotations the client hears (RFC 5465 sections 5.6 and 5.7)."""
    notifier = session.notifier
    if notifier is None:
        return True
    if folder_id == SERVER:
        return Occasion.SERVER_METADATA_CHANGE in notifier.occasions
    return notifier.hears(folder_id, Occasion.MAILBOX_METADATA_CHANGE)


async def _may(session: Session, box: BoxRow, folder: Folder) -> bool:
    rights = await rights_of(session, box, folder)
    return "l" in rights and bool(rights & _ENOUGH)


async def _check(session: Session, box: BoxRow, folder: Folder) -> None:
    """RFC 5464 section 3.3: the right `l`, and any one of `r`, `s`, `w`, `i`, `p`."""
    await require(session, box, folder, "l")
    if not await _may(session, box, folder):
        raise CommandFailed("Your rights in this mailbox do not allow it", NOPERM)


async def _values(
    session: Session, box: BoxRow, folder: Folder, entries: Sequence[str], depth: int | None
) -> Values:
    """What is kept and what is computed; NIL for an entry under which there is nothing at all."""
    found: Values = dict(
        await session.mailboxes.annotations(folder.id, session.who.person_id, entries, depth)
    )
    if box.type in SHARED_TYPES and "r" in await rights_of(session, box, folder):
        found |= await _activity(session, folder, entries, depth)
    return _answered(entries, found)


def _answered(entries: Sequence[str], found: Values) -> Values:
    answered: Values = {}
    for entry in entries:
        below = {
            name: value for name, value in found.items() if name == entry or name.startswith(f"{entry}/")
        }
        answered |= below or {entry: None}
    return answered


async def _server_values(session: Session, entries: Sequence[str], depth: int | None) -> Values:
    kept = await session.mailboxes.annotations(SERVER, session.who.person_id, entries, depth)
    options = session.parts.options
    said = {COMMENT: options.comment, ADMIN: options.admin}
    found: Values = {
        name: text.encode() for name, text in said.items() if text and _asked(name, entries, depth)
    }
    return _answered(entries, {**kept, **found})


def _asked(name: str, entries: Sequence[str], depth: int | None) -> bool:
    """Whether a name is one of the entries, or lies below one within the depth."""
    return any(
        name == entry
        or (name.startswith(f"{entry}/") and (depth is None or name.count("/", len(entry)) <= depth))
        for entry in entries
    )


# --- who did what


async def _activity(session: Session, folder: Folder, entries: Sequence[str], depth: int | None) -> Values:
    """The entries about acts that are asked for, as far as there are any."""
    found: Values = {}
    one_by_one = set(_uids(entries))
    store = session.mailboxes
    for uid in one_by_one:
        done = await store.folder_activity(folder.id, LATEST, [uid])
        if done:
            found[f"{ACTIVITY}/{uid}"] = _text(done, alone=True)
    below = _asked(
        f"{ACTIVITY}/1", [entry for entry in entries if entry.count("/") <= ACTIVITY.count("/")], depth
    )
    if not (below or _asked(ACTIVITY, entries, depth)):
        return found
    done = await store.folder_activity(folder.id, LATEST)
    if done and _asked(ACTIVITY, entries, depth):
        found[ACTIVITY] = _text(done, alone=False)
    if below:
        for uid in sorted({one.uid for one in done} - one_by_one):
            found[f"{ACTIVITY}/{uid}"] = _text([one for one in done if one.uid == uid], alone=True)
    return found


def _uids(entries: Sequence[str]) -> Iterator[int]:
    for entry in entries:
        top, _, last = entry.rpartition("/")
        if top == ACTIVITY and last.isdigit() and len(last) <= 10 and last == str(int(last)):
            yield int(last)


def _text(done: Sequence[Done], *, alone: bool) -> bytes:
    """One line for each act, in local time."""
    lines = [
        told(
            one.name or one.login,
            one.act,
            _local(one.first_at),
            _local(one.last_at),
            None if alone else one.uid,
        )
        for one in done
    ]
    return "\n".join(lines).encode()


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at).astimezone()
