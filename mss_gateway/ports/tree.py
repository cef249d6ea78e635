"""What a commit has done to the tree of folders of a box, and to who sees what in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class TreeAct(Enum):
    """What has happened."""

    CREATED = "created"
    DELETED = "deleted"
    RENAMED = "renamed"
    SUBSCRIPTION = "subscription"
    RIGHTS = "rights"


@dataclass(frozen=True, slots=True)
class TreeEvent:
    """One act in one box. `name` is the folder's, the new one after RENAMED; inferiors are not named one by one.

    `person_id` is whose subscription it is, 0 where everybody is meant; RIGHTS may be about a whole box, then
    `folder_id` is 0.
    """

    box_id: int
    act: TreeAct
    folder_id: int = 0
    name: str = ""
    old_name: str = ""
    person_id: int = 0


TreeListener = Callable[[TreeEvent], None]
"""Called in the event loop after a commit, once for each act, in their order."""
