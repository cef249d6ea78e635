"""`mailbox import`: from another IMAP server into a mailbox here, again and again until all is there (IMP-4)."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NoReturn

import typer
from rich.markup import escape

from mss_gateway.ops.operation import UNAVAILABLE
from mss_gateway.ops.takeover import PIECE
from mss_gateway.rules.ins import mask_text

from .importing import SOME_REFUSED, Ask, advancing, asking
from .output import console, fail, show_json, table, visible
from .takeover_source import Found, Place, Source, SourceFailed, SourceFolder

TRIES = 3
"""Connections in a row that end without one message more before the command gives up."""

WAIT = 2.0  # seconds before the next connection


@dataclass(slots=True)
class FolderOutcome:
    """What became of one folder; `refused` names UIDs there with a reason and a sentence."""

    name: str
    into: str
    messages: int = 0
    taken: int = 0
    known: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """As JSON, without an INS in the names."""
        return {
            "folder": mask_text(self.name),
            "into": mask_text(self.into),
            "messages": self.messages,
            "taken": self.taken,
            "already_here": self.known,
            "refused": self.refused,
        }


class Takeover:
    """One run: every message that is not here yet is brought, stored, read again and compared."""

    def __init__(self, place: Place, address: str, ask: Ask, advance: Callable[[int], None]) -> None:
        self._place = place
        self._address = address
        self._ask = ask
        self._advance = advance
        self.outcomes: dict[str, FolderOutcome] = {}

    def run(self, folders: list[SourceFolder]) -> None:
        """Take all of these folders over; a connection that breaks is made anew. Raises `SourceFailed`."""
        left = list(folders)
        tries = 0
        while left:
            before = self.count
            try:
                source = Source(self._place)
                try:
                    while left:
                        self._folder(source, left[0])
                        left.pop(0)
                finally:
                    source.close()
            except SourceFailed:
                tries = 1 if self.count > before else tries + 1
                if tries >= TRIES:
                    raise
                time.sleep(WAIT)

    @property
    def count(self) -> int:
        """Messages brought so far."""
        return sum(one.taken for one in self.outcomes.values())

    def _folder(self, source: Source, folder: SourceFolder) -> None:
        outcome = self.outcomes.setdefault(folder.name, FolderOutcome(folder.name, folder.own_name))
        validity, uids = source.open(folder.name)
        origin = {
            "address": self._address,
            "source": self._place.source,
            "source_folder": folder.name,
            "uid_validity": validity,
        }
        known = set(self._ask("mailbox.taken", origin)["uids"])
        refused = {one["uid"] for one in outcome.refused}
        new = [uid for uid in uids if uid not in known and uid not in refused]
        if not outcome.messages:
            outcome.messages, outcome.known = len(uids), len(uids) - len(new)
            self._advance(outcome.known)
        put = {**origin, "folder": folder.own_name, "special_use": folder.special_use}
        if not new:
            self._ask("mailbox.put", {**put, "messages": []})  # an empty folder is one all the same
        for group in source.listed(new):
            digests: dict[int, str] = {}
            messages = list(self._messages(source, group, digests))
            for answer in self._ask("mailbox.put", {**put, "messages": messages})["messages"]:
                self._note(outcome, answer, digests)
            self._advance(len(group))

    def _messages(
        self, source: Source, group: list[Found], digests: dict[int, str]
    ) -> Iterator[dict[str, Any]]:
        """The group as `mailbox.put` takes it; digests are those of what the other server sent."""
        if len(group) == 1 and group[0].size > PIECE:
            yield self._large(source, group[0], digests)
            return
        octets = source.octets([one.uid for one in group])
        for one in group:
            data = octets.get(one.uid)
            if data is not None:
                digests[one.uid] = sha256(data).hexdigest()
                yield {**_head(one), "data": b64encode(data).decode()}

    def _large(self, source: Source, one: Found, digests: dict[int, str]) -> dict[str, Any]:
        digest = sha256()
        upload = ""
        for data in source.parts(one.uid, one.size):
            digest.update(data)
            answer = self._ask("mailbox.piece", {"upload": upload, "data": b64encode(data).decode()})
            upload = answer["upload"]
        digests[one.uid] = digest.hexdigest()
        return {**_head(one), "upload": upload}

    @staticmethod
    def _note(outcome: FolderOutcome, answer: dict[str, Any], digests: dict[int, str]) -> None:
        uid = answer["uid"]
        if "reason" in answer:
            outcome.refused.append(answer)
        elif answer["sha256"] != digests[uid]:
            sentence = "What is stored is not what the other server sent"
            outcome.refused.append({"uid": uid, "reason": "digest-differs", "sentence": sentence})
        else:
            outcome.taken += 1


def _head(one: Found) -> dict[str, Any]:
    return {"uid": one.uid, "flags": list(one.flags), "date": one.date}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for; without `folders` all of them. `into` goes before every name but INBOX."""

    address: str
    folders: tuple[str, ...] = ()
    into: str = ""
    dry_run: bool = False
    as_json: bool = False


def run_takeover(place: Place, wanted: Wanted, config: Any) -> NoReturn:
    """Take over, tell, and end with 0, or `SOME_REFUSED` when messages were left out."""
    try:
        source = Source(place)
        try:
            folders = chosen(source.folders(), wanted)
        finally:
            source.close()
        if wanted.dry_run:
            _show_plan(folders, wanted)
        total = sum(folder.messages for folder in folders)
        with asking(config, as_json=wanted.as_json) as ask:
            with advancing(place.source, total, quiet=wanted.as_json) as advance:
                work = Takeover(place, wanted.address, ask, advance)
                work.run(folders)
            ask("mailbox.imported", {"address": wanted.address, "count": work.count, "from": place.source})
    except SourceFailed as failed:
        sentence = f"{failed}. What has been brought stays: run the same command again to go on"
        fail(mask_text(sentence), UNAVAILABLE, reason="source", as_json=wanted.as_json)
    _tell(work, wanted.as_json)


def chosen(folders: list[SourceFolder], wanted: Wanted) -> list[SourceFolder]:
    """The folders asked for, with their names here; raises `SourceFailed` for one that is not there."""
    names = {folder.name for folder in folders}
    missing = [name for name in wanted.folders if name not in names]
    if missing:
        raise SourceFailed(f"There is no folder {missing[0]} there; it has: {', '.join(sorted(names))}")
    picked = [folder for folder in folders if not wanted.folders or folder.name in wanted.folders]
    if not wanted.into:
        return picked
    return [
        SourceFolder(one.name, f"{wanted.into.strip('/')}/{one.own_name}", "", one.messages) for one in picked
    ]


def _show_plan(folders: list[SourceFolder], wanted: Wanted) -> NoReturn:
    rows = [
        {
            "folder": mask_text(one.name),
            "into": mask_text(one.own_name),
            "special_use": one.special_use,
            "messages": one.messages,
        }
        for one in folders
    ]
    if wanted.as_json:
        show_json({"dry_run": True, "folders": rows})
    else:
        table("What would be taken over", ("folder", "into", "special_use", "messages"), rows)
    raise typer.Exit(0)


def _tell(work: Takeover, as_json: bool) -> NoReturn:
    rows = [one.record() for one in work.outcomes.values()]
    refused = [(one.name, line) for one in work.outcomes.values() for line in one.refused]
    if as_json:
        show_json({"taken": work.count, "refused": len(refused), "folders": rows})
        raise typer.Exit(SOME_REFUSED if refused else 0)
    shown = [{**row, "refused": len(row["refused"])} for row in rows]
    table("Taken over", ("folder", "into", "messages", "taken", "already_here", "refused"), shown)
    out = console()
    for name, line in refused:
        where = escape(visible(mask_text(name)))
        sentence, reason = escape(visible(line["sentence"])), escape(line["reason"])
        out.print(f"[red]{where}, UID {line['uid']}[/] left out: {sentence} \\[{reason}]", soft_wrap=True)
    out.print(f"[bold]{work.count}[/] taken over and verified, {len(refused)} left out", soft_wrap=True)
    raise typer.Exit(SOME_REFUSED if refused else 0)
