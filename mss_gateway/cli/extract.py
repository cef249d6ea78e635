"""`mailbox export`: a mailbox as files that other mail programs read (IMP-4)."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.markup import escape

from mss_gateway.ops.operation import CONFLICT, NOT_FOUND, UNAVAILABLE
from mss_gateway.rules.ins import mask_text

from .importing import Ask, advancing, asking
from .mailbox_files import MaildirFolder, MboxFile, Writer
from .output import console, fail, show_json, table, visible

MARK = ".mss-export"
"""Stands in every folder that an export made, so that nothing else is ever written over or mixed with it."""


@dataclass(frozen=True, slots=True)
class Export:
    """What goes where. `form` is maildir or mbox; without `folders` all of them."""

    address: str
    into: Path
    form: str
    folders: tuple[str, ...] = ()
    as_json: bool = False


def run_export(work: Export, config: Path) -> NoReturn:
    """Write the files, tell, and end."""
    _prepare(work)
    rows: list[dict[str, Any]] = []
    with asking(config, as_json=work.as_json) as ask:
        folders = _chosen(ask("mailbox.folders", {"address": work.address})["folders"], work)
        with advancing(work.address, sum(one["messages"] for one in folders), quiet=work.as_json) as advance:
            for folder in folders:
                row: dict[str, Any] = {"folder": mask_text(folder["name"]), "messages": 0, "written": 0}
                writer = _writer(work, folder)
                for message in _listed(ask, work, folder["name"]):
                    row["messages"] += 1
                    if not writer.has(message["uid"]):
                        octets = _octets(ask, work, folder["name"], message)
                        writer.add(message["uid"], message["flags"], message["date"], octets)
                        row["written"] += 1
                    advance(1)
                writer.close()  # only when all of it is written: an mbox gets its name here
                rows.append(row)
        count = sum(row["written"] for row in rows)
        ask("mailbox.exported", {"address": work.address, "count": count, "format": work.form})
    if work.as_json:
        show_json({"written": count, "into": str(work.into), "folders": rows})
    else:
        table("Exported", ("folder", "messages", "written"), rows)
        where = escape(visible(mask_text(str(work.into))))
        console().print(f"[bold]{count}[/] written into {where}: health data, for you alone", soft_wrap=True)
    raise typer.Exit(0)


def _prepare(work: Export) -> None:
    """A folder of our own: new, empty, or from an earlier export of the same mailbox."""
    mark = f"{work.address.lower()}\n{work.form}\n"
    try:
        work.into.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = (work.into / MARK).read_text() if (work.into / MARK).exists() else ""
        if known != mark and any(work.into.iterdir()):
            sentence = f"{work.into} is not empty and not an earlier export of this mailbox as {work.form}"
            fail(mask_text(sentence), CONFLICT, reason="folder-taken", as_json=work.as_json)
        (work.into / MARK).write_text(mark)
    except OSError as error:
        fail(mask_text(str(error)), UNAVAILABLE, reason="unavailable", as_json=work.as_json)


def _chosen(folders: list[dict[str, Any]], work: Export) -> list[dict[str, Any]]:
    names = {one["name"] for one in folders}
    for name in work.folders:
        if name not in names:
            sentence = f"There is no folder {name}; it has: {', '.join(sorted(names))}"
            fail(mask_text(sentence), NOT_FOUND, reason="unknown-folder", as_json=work.as_json)
    return [one for one in folders if not work.folders or one["name"] in work.folders]


def _writer(work: Export, folder: dict[str, Any]) -> Writer:
    if work.form == "mbox":
        return MboxFile(work.into, folder["name"])
    return MaildirFolder(work.into, folder["name"], folder["uid_validity"])


def _listed(ask: Ask, work: Export, folder: str) -> Iterator[dict[str, Any]]:
    after = 0
    while True:
        asked = {"address": work.address, "folder": folder, "after": after}
        page = ask("mailbox.list", asked)["messages"]
        if not page:
            return
        yield from page
        after = page[-1]["uid"]


def _octets(ask: Ask, work: Export, folder: str, message: dict[str, Any]) -> Iterator[bytes]:
    at = 0
    asked = {"address": work.address, "folder": folder, "uid": message["uid"]}
    while at < message["size"]:
        data = b64decode(ask("mailbox.read", {**asked, "offset": at})["data"])
        if not data:
            return
        yield data
        at += len(data)
