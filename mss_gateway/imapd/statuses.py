"""The counters of STATUS as last counted: how many are unseen takes a look at each message of a folder."""

from __future__ import annotations

from collections import OrderedDict

from mss_gateway.ports.mailboxes import FolderStatus, Mailboxes, Viewer

MOST = 4096
"""Folders, in a shared box for each member, whose counters are kept."""


class Statuses:
    """Counters are true as long as the highest mod-sequence of their folder, which every change moves (RFC 7162)."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, int], FolderStatus] = OrderedDict()

    async def of(self, mailboxes: Mailboxes, folder_id: int, viewer: Viewer) -> FolderStatus:
        """The counters of a folder now; raises `NoSuchFolder`."""
        key = (folder_id, viewer.person_id if viewer.shared else 0)
        known = self._known.get(key)
        if known is not None:
            now = (await mailboxes.counters((folder_id,))).get(folder_id)
            if now is not None and now.highest_modseq == known.highest_modseq:
                return known
        found = await mailboxes.status(folder_id, viewer)
        self._known[key] = found
        self._known.move_to_end(key)
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        return found
