"""Who may do what in a folder: the rights of RFC 4314, by standing in the box and by grant (BAL-3, PAT-6)."""

from __future__ import annotations

from enum import Enum

from .facts import BoxType

RIGHTS = "lrswipkxtea"
"""Every right, in the order of RFC 4314 section 2.1."""

ALL = frozenset(RIGHTS)
"""What the owner of a box may do."""

OWNERS = frozenset("la")
"""What an owner always keeps: who could no longer see or administer a folder could not undo it."""

CARERS = frozenset("lrswipk")
"""The most that a patient's carer may ever do: read and answer, delete nothing (PAT-6)."""

MEMBERS = frozenset("lrswipkte")
"""What a member of a shared box may do where nothing else was said."""

CREATING = frozenset("kx")
"""The members of the obsolete right `c` (RFC 4314 section 2.1.1)."""

DELETING = frozenset("te")
"""The members of the obsolete right `d` (RFC 4314 section 2.1.1)."""

_OBSOLETE = {"c": CREATING, "d": DELETING}
_FLAGS = {"\\seen": "s", "\\deleted": "t"}
_SHARED = (BoxType.ORG, BoxType.CAB)


class Standing(Enum):
    """What somebody is in a box."""

    OWNER = "owner"  # the holder, the software of an APP box, the responsible professional
    MEMBER = "member"
    CARER = "carer"


def standing_of(box: BoxType, role: str, *, responsible: bool) -> Standing:
    """The standing behind a tie's role; `responsible` when the person answers for the box (BAL-3)."""
    if role == "carer":
        return Standing.CARER
    if box in _SHARED and not responsible and role not in ("holder", "responsible"):
        return Standing.MEMBER
    return Standing.OWNER


def kept(standing: Standing) -> frozenset[str]:
    """The rights that cannot be taken away."""
    return OWNERS if standing is Standing.OWNER else frozenset()


def grantable(standing: Standing) -> frozenset[str]:
    """The rights that can be had at all, those that are kept included."""
    return CARERS if standing is Standing.CARER else ALL


def default_rights(standing: Standing, members: frozenset[str] = MEMBERS) -> frozenset[str]:
    """The rights where none were set; `members` are those of a member."""
    return members if standing is Standing.MEMBER else grantable(standing)


def effective(standing: Standing, granted: str | None, members: frozenset[str] = MEMBERS) -> frozenset[str]:
    """The rights in force: what was granted (None: nothing was said), within what the standing allows."""
    wanted = default_rights(standing, members) if granted is None else frozenset(granted)
    return (wanted & grantable(standing)) | kept(standing)


def right_for(flag: str) -> str:
    """The right that changing a flag asks for: `s` for \\Seen, `t` for \\Deleted, `w` for all others."""
    return _FLAGS.get(flag.lower(), "w")


def permitted(rights: frozenset[str], flags: frozenset[str]) -> frozenset[str]:
    """Those of the flags that may be changed."""
    return frozenset(flag for flag in flags if right_for(flag) in rights)


def expanded(letters: str) -> frozenset[str]:
    """Letters of a client with `c` and `d` for what they stood for; raises `ValueError` naming the unknown one."""
    found: set[str] = set()
    for letter in letters:
        if letter not in ALL and letter not in _OBSOLETE:
            raise ValueError(letter)
        found |= _OBSOLETE.get(letter, {letter})
    return frozenset(found)


def shown(rights: frozenset[str]) -> str:
    """Rights as a client of any age understands them: with `c` and `d` when a member of theirs is there."""
    letters = "".join(letter for letter in RIGHTS if letter in rights)
    return letters + "".join(letter for letter, members in _OBSOLETE.items() if members & rights)


def stored(rights: frozenset[str]) -> str:
    """Rights as they are kept, in one spelling."""
    return "".join(letter for letter in RIGHTS if letter in rights)
