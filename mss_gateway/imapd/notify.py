"""NOTIFY (RFC 5465): what is told of mailboxes while the client is silent, or between its commands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mss_gateway.ports.mailboxes import Counters
from mss_gateway.ports.tree import TreeAct, TreeEvent
from mss_gateway.protocol.imap import Ending, Request, responses
from mss_gateway.protocol.imap.commands_notify import ABOUT_MESSAGES, Notify, Occasion
from mss_gateway.protocol.imap.mailboxtree import list_mailboxes, parents

from .announcing import announce
from .listing import Catalogue, Visible, tree_of
from .names import shown
from .notifier import Notifier, Overflow, Watched
from .session import CommandFailed, Session
from .sync import sync

OVERFLOW = b"NOTIFICATIONOVERFLOW"
NO_ACCESS = "\\NoAccess"
_SUBSCRIBED = frozenset({"SUBSCRIBED"})
_METADATA = frozenset({Occasion.MAILBOX_METADATA_CHANGE, Occasion.SERVER_METADATA_CHANGE})


async def notify(session: Session, request: Request) -> None:
    """NOTIFY SET, which implies NOOP, and NOTIFY NONE; what was asked before ends."""
    command = request.command
    assert isinstance(command, Notify)
    notifier = Notifier(session, command.groups)
    try:
        catalogue = await notifier.refresh()
        if command.groups:
            await _catch_up(session)
    except Overflow:
        notifier.close()
        raise CommandFailed("Too many mailboxes, name fewer of them", OVERFLOW) from None
    except BaseException:
        notifier.close()
        raise
    session.listen(notifier)
    if notifier.selected is not None and notifier.selected.items:
        session.announce = partial(announce, session)
    if notifier.occasions & _METADATA:
        session.parts.hub.notices.watch(session)
    for place in notifier.barred_names(catalogue):
        notifier.barred.add(place.folder.id)
        session.send(responses.listing(place.name, (NO_ACCESS,), utf8=session.core.utf8))
    if command.status:
        _send_statuses(session, notifier)
    session.core.tagged(Ending.OK, "these events are told" if command.groups else "no event is told")


async def _catch_up(session: Session) -> None:
    """Tell what has accumulated in the folder in hand, whatever is to be told of it from now on."""
    session.listen(None)
    if session.selected is not None:
        session.selected.dirty = True
        await sync(session)


def _send_statuses(session: Session, notifier: Notifier) -> None:
    here = session.selected.folder.id if session.selected is not None else 0
    for folder_id, one in notifier.watched.items():
        if folder_id != here and one.occasions & ABOUT_MESSAGES and one.counters is not None:
            _send_status(session, one, one.counters)


def _send_status(session: Session, one: Watched, now: Counters) -> None:
    """Of flags nobody tells but HIGHESTMODSEQ; without an interest in them it is sent to who uses it."""
    items = {"MESSAGES": now.messages, "UIDNEXT": now.uid_next, "UIDVALIDITY": now.uid_validity}
    if session.condstore or Occasion.FLAG_CHANGE in one.occasions:
        items["HIGHESTMODSEQ"] = now.highest_modseq
    session.send(responses.status(one.place.name, items, session.core.utf8))


async def tell(session: Session) -> None:
    """Queue what has happened outside of the folder in hand; costs nothing when nothing has."""
    notifier = session.notifier
    if notifier is None or not notifier.waiting():
        return
    try:
        if notifier.overflown:
            raise Overflow
        acts = notifier.take_acts()
        if notifier.outdated(acts):
            before = notifier.watched
            catalogue = await notifier.refresh()
            deleted = {act.event.folder_id for act in acts if act.event.act is TreeAct.DELETED}
            said = _tell_access(session, notifier, before, catalogue, deleted)
            events = [act.event for act in acts if not act.own]
            _tell_names(session, notifier, before, catalogue, events, said)
        await _tell_counters(session, notifier)
    except Overflow:
        session.listen(Notifier(session, ()))
        session.send(responses.ok("too much has happened, nothing more is told", OVERFLOW))


async def _tell_counters(session: Session, notifier: Notifier) -> None:
    """STATUS of each mailbox whose counters have moved in a way that the client wants to hear of."""
    pending = notifier.take_pending()
    if not pending:
        return
    counters = session.mailboxes.counters
    if len(pending) == 1:
        found = await session.parts.hub.together(pending[0], "counters", lambda: counters(pending))
    else:
        found = await counters(pending)
    for folder_id, now in found.items():
        one = notifier.watched.get(folder_id)
        if one is None:
            continue
        last, one.counters = one.counters, now
        if _is_news(one, last, now):
            _send_status(session, one, now)


def _is_news(one: Watched, last: Counters | None, now: Counters) -> bool:
    if not one.occasions & ABOUT_MESSAGES:
        return False
    if last is None or Occasion.FLAG_CHANGE in one.occasions:
        return last != now
    return (last.messages, last.uid_next) != (now.messages, now.uid_next)


def _tell_access(
    session: Session,
    notifier: Notifier,
    before: dict[int, Watched],
    catalogue: Catalogue,
    deleted: set[int],
) -> set[int]:
    """`\\NoAccess` of what may no longer be watched, LIST of what may again (RFC 5465 section 5.9); gives their ids."""
    there = {place.folder.id: place for place in catalogue.mailboxes}
    utf8 = session.core.utf8
    said: set[int] = set()
    for folder_id in before.keys() - notifier.watched.keys() - deleted:
        place = there.get(folder_id)
        if place is None or "r" not in place.rights:
            notifier.barred.add(folder_id)
            said.add(folder_id)
            was = before[folder_id]
            name = place.name if place is not None else was.place.name
            # Without the right `l` it is no mailbox any more to who hears of names (RFC 5465 section 5.4).
            gone = place is None and Occasion.MAILBOX_NAME in was.occasions
            shown_as = (*_attributes(catalogue, {name})[name], NO_ACCESS) if gone else (NO_ACCESS,)
            session.send(responses.listing(name, shown_as, utf8=utf8))
    back = notifier.barred & notifier.watched.keys()
    again = {notifier.watched[folder_id].place.name for folder_id in back}
    notifier.barred -= back
    if again:
        for name, attributes in _attributes(catalogue, again).items():
            session.send(responses.listing(name, attributes, utf8=utf8))
    return said | back


def _attributes(catalogue: Catalogue, names: set[str]) -> dict[str, tuple[str, ...]]:
    """LIST attributes of names; `\\NonExistent` where there is no mailbox."""
    lines = list_mailboxes(tree_of(catalogue), names.__contains__, returns=_SUBSCRIBED)
    found = {line.name: line.attributes for line in lines}
    orphans = set(catalogue.orphans)
    for name in names - found.keys():
        found[name] = ("\\NonExistent", "\\Subscribed") if name in orphans else ("\\NonExistent",)
    return found


def _tell_names(
    session: Session,
    notifier: Notifier,
    before: dict[int, Watched],
    catalogue: Catalogue,
    acts: Sequence[TreeEvent],
    said: set[int],
) -> None:
    """LIST for each act that is still true; a chain of renames is told as one (RFC 5465 sections 5.4 and 5.5)."""
    lines: dict[tuple[str, str | None], None] = {}
    by_name = {one.place.name: one for one in (*before.values(), *notifier.watched.values())}
    boxes = {box.id: box for box in session.who.boxes}
    affected = partial(_affected, lines, session, notifier, catalogue)
    for act in acts:
        old, now = before.get(act.folder_id), notifier.watched.get(act.folder_id)
        named = any(one is not None and Occasion.MAILBOX_NAME in one.occasions for one in (old, now))
        if act.act is TreeAct.SUBSCRIPTION:
            name = shown(session, boxes[act.box_id], act.name)
            one = by_name.get(name)
            if one is not None and Occasion.SUBSCRIPTION_CHANGE in one.occasions:
                lines[name, None] = None
        elif act.act is TreeAct.DELETED and named and old is not None:
            affected(old.place)
        elif act.act is TreeAct.CREATED and named and now is not None and old is None:
            affected(now.place)
        elif act.act is TreeAct.RENAMED and named:
            _rename(lines, old, now, catalogue, act, shown(session, boxes[act.box_id], act.old_name))
        elif act.act is TreeAct.RIGHTS:
            for place in _come_or_gone(before, notifier, catalogue, act):
                affected(place, itself=place.folder.id not in said)
    attributes = _attributes(catalogue, {name for name, _ in lines}) if lines else {}
    for name, old_name in lines:
        line = responses.listing(name, attributes[name], utf8=session.core.utf8, old_name=old_name)
        session.send(line)


def _affected(
    lines: dict[tuple[str, str | None], None],
    session: Session,
    notifier: Notifier,
    catalogue: Catalogue,
    place: Visible,
    *,
    itself: bool = True,
) -> None:
    """A mailbox that is new or gone, and its direct parent, whether that is a mailbox or not."""
    if itself:
        lines[place.name, None] = None
    above = parents(place.folder.name)
    if not above:
        return
    name = shown(session, place.box, above[-1])
    told = {one.place.name for one in notifier.watched.values() if Occasion.MAILBOX_NAME in one.occasions}
    if name in told or all(one.name != name for one in catalogue.mailboxes):
        lines[name, None] = None


def _come_or_gone(
    before: dict[int, Watched], notifier: Notifier, catalogue: Catalogue, act: TreeEvent
) -> list[Visible]:
    """Mailboxes that the client may see, or see no more, by an act on rights: the right `l` given is a mailbox made,
    `l` taken away one deleted (RFC 5465 section 5.4)."""
    there = {place.folder.id for place in catalogue.mailboxes}
    come = [one for folder_id, one in notifier.watched.items() if folder_id not in before]
    gone = [one for folder_id, one in before.items() if folder_id not in there]
    return [
        one.place
        for one in (*come, *gone)
        if Occasion.MAILBOX_NAME in one.occasions
        and one.place.box.id == act.box_id
        and act.folder_id in (0, one.place.folder.id)
    ]


def _rename(
    lines: dict[tuple[str, str | None], None],
    old: Watched | None,
    now: Watched | None,
    catalogue: Catalogue,
    act: TreeEvent,
    old_name: str,
) -> None:
    """A mailbox that is not watched under its new name any more is told of all the same."""
    place = now.place if now is not None else None
    if place is None:
        place = next((one for one in catalogue.mailboxes if one.folder.id == act.folder_id), None)
    before = old.place.name if old is not None else old_name
    if place is not None and place.name != before:
        lines[place.name, before] = None
