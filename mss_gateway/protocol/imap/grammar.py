"""The second stage: a whole frame to a command. One table says which verbs exist, and in which states."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from . import (
    grammar_append,
    grammar_comparator,
    grammar_fetch,
    grammar_mailbox,
    grammar_metadata,
    grammar_multisearch,
    grammar_notify,
    grammar_rights,
    grammar_search,
    grammar_session,
    grammar_sort,
)
from .commands import (
    Capability,
    Check,
    Close,
    Command,
    Copy,
    Expunge,
    Fetch,
    Idle,
    Logout,
    Move,
    Namespace,
    Noop,
    Search,
    StartTls,
    Store,
    Unselect,
)
from .commands_resync import Unauthenticate
from .commands_sort import Sort, Thread
from .cursor import Cursor, Malformed
from .events import State
from .fetchitems import Attribute

_HEAD = re.compile(rb"([^\x00-\x20(){%*\"\\+\x7f-\xff]{1,64}) ([A-Za-z]{1,20})(?![^ ])")
_TAG = re.compile(rb"([^\x00-\x20(){%*\"\\+\x7f-\xff]{1,64})(?: |$)")

_Parse = Callable[[Cursor], Command]

_ANY = frozenset({State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED})
_BEFORE = frozenset({State.NOT_AUTHENTICATED})
_AFTER = frozenset({State.AUTHENTICATED, State.SELECTED})
_SELECTED = frozenset({State.SELECTED})

_VERBS: dict[str, tuple[frozenset[State], _Parse]] = {
    "CAPABILITY": (_ANY, lambda cursor: Capability()),
    "NOOP": (_ANY, lambda cursor: Noop()),
    "LOGOUT": (_ANY, lambda cursor: Logout()),
    "ID": (_ANY, grammar_session.identify),
    "STARTTLS": (_BEFORE, lambda cursor: StartTls()),
    "AUTHENTICATE": (_BEFORE, grammar_session.authenticate),
    "LOGIN": (_BEFORE, grammar_session.login),
    "ENABLE": (_AFTER, grammar_session.enable),
    "UNAUTHENTICATE": (_AFTER, lambda cursor: Unauthenticate()),
    "SELECT": (_AFTER, grammar_mailbox.select),
    "EXAMINE": (_AFTER, grammar_mailbox.examine),
    "CREATE": (_AFTER, grammar_mailbox.create),
    "DELETE": (_AFTER, grammar_mailbox.delete),
    "RENAME": (_AFTER, grammar_mailbox.rename),
    "SUBSCRIBE": (_AFTER, grammar_mailbox.subscribe),
    "UNSUBSCRIBE": (_AFTER, grammar_mailbox.unsubscribe),
    "LIST": (_AFTER, grammar_mailbox.list_mailboxes),
    "LSUB": (_AFTER, grammar_mailbox.lsub),
    "NAMESPACE": (_AFTER, lambda cursor: Namespace()),
    "STATUS": (_AFTER, grammar_mailbox.status),
    "GETACL": (_AFTER, grammar_rights.get_acl),
    "SETACL": (_AFTER, grammar_rights.set_acl),
    "DELETEACL": (_AFTER, grammar_rights.delete_acl),
    "LISTRIGHTS": (_AFTER, grammar_rights.list_rights),
    "MYRIGHTS": (_AFTER, grammar_rights.my_rights),
    "GETMETADATA": (_AFTER, grammar_metadata.get_metadata),
    "SETMETADATA": (_AFTER, grammar_metadata.set_metadata),
    "GETQUOTA": (_AFTER, grammar_rights.get_quota),
    "GETQUOTAROOT": (_AFTER, grammar_rights.get_quota_root),
    "IDLE": (_AFTER, lambda cursor: Idle()),
    "NOTIFY": (_AFTER, grammar_notify.notify),
    "COMPARATOR": (_AFTER, grammar_comparator.comparator),
    "COMPRESS": (_AFTER, grammar_append.compress),
    "CHECK": (_SELECTED, lambda cursor: Check()),
    "CLOSE": (_SELECTED, lambda cursor: Close()),
    "UNSELECT": (_SELECTED, lambda cursor: Unselect()),
    "EXPUNGE": (_SELECTED, lambda cursor: Expunge()),
    "SEARCH": (_SELECTED, grammar_search.search),
    "ESEARCH": (_AFTER, grammar_multisearch.multisearch),
    "CANCELUPDATE": (_SELECTED, grammar_multisearch.cancel_update),
    "SORT": (_SELECTED, grammar_sort.sort),
    "THREAD": (_SELECTED, grammar_sort.thread),
    "FETCH": (_SELECTED, grammar_fetch.fetch),
    "STORE": (_SELECTED, grammar_fetch.store),
    "COPY": (_SELECTED, grammar_fetch.copy),
    "MOVE": (_SELECTED, grammar_fetch.move),
}


def split_head(line: bytes) -> tuple[bytes, str]:
    """The tag and the verb (upper case) of a command line; no tag is b"", an unreadable verb is ""."""
    found = _HEAD.match(line)
    if found is not None:
        return found.group(1), found.group(2).decode("ascii").upper()
    tag = _TAG.match(line)
    return (tag.group(1), "") if tag is not None else (b"", "")


def check_state(verb: str, state: State) -> None:
    """Raise `Malformed` when the verb is unknown or not allowed now (RFC 9051 section 3)."""
    if verb == "APPEND":
        allowed = _AFTER
    elif verb in ("UID", "REPLACE"):
        allowed = _SELECTED
    elif verb in _VERBS:
        allowed = _VERBS[verb][0]
    else:
        raise Malformed("Unknown command")
    if state not in allowed:
        raise Malformed(f"Not allowed when {state.value}")


def _with_uid(cursor: Cursor) -> Command:
    cursor.space()
    verb = cursor.word()
    if verb == "EXPUNGE":
        return grammar_fetch.uid_expunge(cursor)
    if verb == "ESEARCH":  # as in the examples of RFC 7377 section 2; its answers have UIDs in any case
        return grammar_multisearch.multisearch(cursor)
    if verb not in ("SEARCH", "FETCH", "STORE", "COPY", "MOVE", "SORT", "THREAD"):
        raise Malformed("UID does not take this command")
    command = _VERBS[verb][1](cursor)
    if isinstance(command, Fetch):
        if Attribute.UID not in command.items:
            command = replace(command, items=(Attribute.UID, *command.items))
        return replace(command, uid=True)
    if isinstance(command, Search | Store | Copy | Move | Sort | Thread):
        return replace(command, uid=True)
    raise Malformed("UID does not take this command")


def parse(verb: str, cursor: Cursor) -> Command:
    """Read the arguments of `verb`; the cursor stands after it. Raises `Malformed`."""
    if verb in ("APPEND", "REPLACE"):
        raise Malformed(f"{verb} takes messages")
    command = _with_uid(cursor) if verb == "UID" else _VERBS[verb][1](cursor)
    cursor.end()
    return command
