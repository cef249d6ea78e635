"""Brings the client up to date: EXPUNGE or VANISHED, EXISTS and FETCH FLAGS (RFC 9051 section 5.2, RFC 7162)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mss_gateway.ports.mailboxes import Changes, FlagRow, NoSuchFolder
from mss_gateway.protocol.imap import fetching, responses

from .session import News, Selected, Session


async def sync(session: Session, *, expunges: bool = True) -> set[int]:
    """Queue what has changed since the client was last told; costs nothing when nothing has.

    Returns the UIDs whose flags were told. Without `expunges`, vanished messages keep their numbers until a command
    allows EXPUNGE. Followers hear afterwards of what was told.
    """
    selected = session.selected
    if selected is None:
        return set()
    if not (selected.dirty or (expunges and selected.held)):
        _lower(session, selected)
        return set()
    added, changed = await _learn(session, selected)
    gone: list[int] = []
    if expunges:
        gone, selected.held = selected.held, []
    await _forewarn(session, selected, gone)
    update = selected.view.apply(added, gone)
    _send_gone(session, update.gone, update.expunged)
    if update.exists is not None:
        session.send(responses.exists(update.exists))
    fresh = set(added)
    told = _tell_flags(session, selected, [row for row in changed if row.uid not in fresh])
    # Followers hear of flags that this session has set too, though the client was told them in the answer.
    other = tuple([row.uid for row in changed if row.uid not in fresh])
    if session.followers and (update.added or other or update.gone):
        news = News(update.added, other, update.gone)
        for follower in tuple(session.followers):
            await follower(news)
    if session.announce is not None and (update.added or session.owed):
        await session.announce(News(update.added))  # behind what search contexts tell (RFC 5465 section 5.2)
    _lower(session, selected)  # behind all that shows mod-sequences
    return told


def _lower(session: Session, selected: Selected) -> None:
    """While expunges wait, say from where to ask: a client that is cut off now has seen higher mod-sequences than
    those of expunges that it has not heard of (RFC 7162 section 3.2)."""
    if selected.held and session.qresync:
        session.send(responses.ok("expunges are to follow", b"HIGHESTMODSEQ %d" % selected.held_from))


async def _learn(session: Session, selected: Selected) -> tuple[tuple[int, ...], tuple[FlagRow, ...]]:
    """Read what has happened: UIDs that are new, flags that changed; what has gone joins `held`."""
    if not selected.dirty:
        return (), ()
    selected.dirty = False
    known = selected.modseq
    added: tuple[int, ...] = ()
    changed: tuple[FlagRow, ...] = ()
    try:
        changes = await _changes(session, selected, known)
    except NoSuchFolder:
        # The folder was deleted by another session: everything in it is gone.
        vanished = tuple(selected.view.uids)
    else:
        selected.modseq = changes.highest_modseq
        vanished, added, changed = changes.vanished, changes.added, changes.changed
    if vanished and not selected.held:
        selected.held_from = known
    selected.held.extend(vanished)
    return added, changed


async def _changes(session: Session, selected: Selected, known: int) -> Changes:
    """One read for all sessions that have been told the same of a folder; in a shared one each has their own \\Seen."""
    folder, viewer = selected.folder, selected.viewer
    return await session.parts.hub.together(
        folder.id,
        (viewer.person_id if viewer.shared else 0, known),
        lambda: session.mailboxes.changes(folder.id, viewer, known),
    )


async def _forewarn(session: Session, selected: Selected, gone: list[int]) -> None:
    """Tell the forerunners what the client is about to hear of."""
    if gone and session.forerunners:
        known = tuple(uid for uid in sorted(gone) if selected.view.number(uid) is not None)
        for forerunner in tuple(session.forerunners):
            await forerunner(News(vanished=known))


def told_to(session: Session) -> bytes:
    """The HIGHESTMODSEQ code for the tagged OK of a command that removed messages (RFC 7162 section 3.2.7)."""
    return b"HIGHESTMODSEQ %d" % session.folder.modseq if session.condstore else b""


def _send_gone(session: Session, uids: Sequence[int], numbers: Sequence[int]) -> None:
    """Say that messages have gone, as the client takes it."""
    if not uids:
        return
    if session.qresync or session.uidonly:
        session.send(responses.vanished(uids))
    else:
        session.send(responses.expunge(numbers))


def send_fetch(session: Session, uid: int, number: int, items: Iterable[bytes]) -> None:
    """Queue one whole FETCH line, or the UIDFETCH line of RFC 9586 once UIDONLY is on: there the UID says itself.

    `number` is the sequence number that the client knows; it is not sent under UIDONLY.
    """
    if session.uidonly:
        session.send(fetching.uidfetch(uid, [item for item in items if not item.startswith(b"UID ")]))
    else:
        session.send(fetching.fetch(number, list(items)))


def fetch_head(session: Session, uid: int, number: int) -> bytes:
    """The start of a FETCH or UIDFETCH line that is streamed; the caller leaves the UID item out under UIDONLY."""
    return fetching.uidfetch_head(uid) if session.uidonly else fetching.fetch_head(number)


def _tell_flags(session: Session, selected: Selected, rows: list[FlagRow]) -> set[int]:
    told: set[int] = set()
    unheard = session.notifier is not None and not (session.notifier.flags or session.notifier.muted)
    for row in rows:
        number = selected.view.number(row.uid)
        if number is None or selected.told.pop(row.uid, 0) == row.modseq or unheard:
            continue
        learn_keywords(session, selected, row.flags)
        send_fetch(session, row.uid, number, flag_items(session, row))
        told.add(row.uid)
    selected.told.clear()
    return told


def flag_items(session: Session, row: FlagRow, *, uid: bool = True) -> list[bytes]:
    """The items of an unsolicited FETCH; MODSEQ once the client has shown that it knows it (RFC 7162 section 3.1)."""
    items = [fetching.uid_item(row.uid)] if uid else []
    items.append(fetching.flags_item(row.flags))
    if session.condstore:
        items.append(fetching.modseq_item(row.modseq))
    return items


def learn_keywords(session: Session, selected: Selected, flags: frozenset[str]) -> None:
    """Announce FLAGS again when a keyword appears that the client has not seen in this folder."""
    new = {flag for flag in flags if not flag.startswith("\\")} - selected.keywords
    if new:
        selected.keywords |= new
        session.send(responses.flags((*SYSTEM_FLAGS, *sorted(selected.keywords))))


DELETED = "\\Deleted"
SYSTEM_FLAGS = ("\\Answered", "\\Flagged", DELETED, "\\Seen", "\\Draft")
"""The flags every folder keeps."""
