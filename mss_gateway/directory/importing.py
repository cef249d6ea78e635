"""An import from beginning to end: build beside, judge, put in force (domain 15.1)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import apsw

from .building import VERSION, Builder
from .copies import Copies
from .lines import Tally, batches
from .options import DirectoryOptions
from .problems import DirectoryProblem
from .source import Source, opened

SHOWN = 1000
"""Bad lines that are named, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Meta:
    """What is known of a copy: rows, addresses, lines left out, its file and dates (epoch seconds), its digest."""

    rows: int
    addresses: int
    refused: int
    source: str
    generated_at: float
    imported_at: float
    digest: str = ""

    def as_texts(self) -> dict[str, str]:
        """By name, as it is written in the copy."""
        return {name: str(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Report:
    """How an import ended: the copy, the bad lines that are named, and seconds it took.

    `changed` is False when the very same file is in force already: the copy before it stays as well.
    """

    meta: Meta
    before: Meta | None
    lines: int
    bad: list[tuple[int, str]]
    seconds: float
    changed: bool


def meta_of(path: Path) -> Meta | None:
    """What a copy says of itself; None when there is none that this version reads."""
    if not path.exists():
        return None
    try:
        base = apsw.Connection(
            f"{path.absolute().as_uri()}?immutable=1", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        )
        try:
            return read_meta(base)
        finally:
            base.close()
    except apsw.Error:
        return None


def read_meta(base: apsw.Connection) -> Meta | None:
    """The same of an opened copy; raises `apsw.Error` when it is none."""
    version = base.execute("PRAGMA user_version").fetchone()
    if version is None or version[0] != VERSION:
        return None
    told = {str(name): str(value) for name, value in base.execute("SELECT name, value FROM meta")}
    try:
        return Meta(
            rows=int(told["rows"]),
            addresses=int(told["addresses"]),
            refused=int(told["refused"]),
            source=told["source"],
            generated_at=float(told["generated_at"]),
            imported_at=float(told["imported_at"]),
            digest=told.get("digest", ""),
        )
    except (KeyError, ValueError):
        return None


def import_file(
    options: DirectoryOptions,
    path: Path,
    *,
    force: bool = False,
    shown: int = SHOWN,
    advance: Callable[[int, int], None] = lambda octets, size: None,
    name: str = "",
    dated: float = 0.0,
    scheduled: bool = False,
) -> Report:
    """Import a file; raises `DirectoryProblem`, and whatever it raises, the copy in force stays. Blocking, seconds.

    `force` takes an older file, one with many rows or lines less, one that was cut short. `advance` is told the
    octets read and the size of all. What was done, or why not, is kept in the record of attempts; a failure counts
    there when it was `scheduled`: who imports by hand has seen it.
    """
    copies = Copies(options.state)
    with copies.importing():
        now = time.time()
        try:
            report = _imported(copies, options, path, force, shown, advance, name, dated)
        except DirectoryProblem as problem:
            failures = copies.attempt().failures + scheduled
            copies.note(
                tried_at=now,
                source=name or path.name,
                reason=problem.reason,
                sentence=problem.sentence,
                failures=failures,
            )
            raise
        finally:
            copies.new.unlink(missing_ok=True)
        copies.note(tried_at=now, done_at=now, source=report.meta.source, reason="", sentence="", failures=0)
        return report


def _imported(
    copies: Copies,
    options: DirectoryOptions,
    path: Path,
    force: bool,
    shown: int,
    advance: Callable[[int, int], None],
    name: str,
    dated: float,
) -> Report:
    began = time.monotonic()
    before = meta_of(copies.current)
    tally = Tally(shown)
    try:
        with opened(path, options.max_bytes, name, dated) as source:
            _check_age(source, before, force)
            builder = Builder(copies.new)
            try:
                meta = _build(builder, source, tally, options, force, advance)
                _check_rows(meta, before, options, force)
                _check_lines(meta, tally, options, force)
                changed = before is None or (meta.digest, meta.generated_at) != (
                    before.digest,
                    before.generated_at,
                )
                if changed:
                    builder.finish(meta.as_texts())
            finally:
                builder.close()
    except OSError as error:
        why = (error.strerror or "error").lower()
        raise DirectoryProblem("directory-file", f"{path.name}: the file cannot be read ({why})") from None
    if changed:
        copies.put_in_force()
    return Report(meta, before, tally.lines, tally.bad, time.monotonic() - began, changed)


def _build(
    builder: Builder,
    source: Source,
    tally: Tally,
    options: DirectoryOptions,
    force: bool,
    advance: Callable[[int, int], None],
) -> Meta:
    digest = hashlib.sha256()
    for rows in batches(
        source, tally, lambda octets: advance(octets, source.size), digest.update, whole=not force
    ):
        if rows:
            builder.add(rows)
    if not builder.rows:
        if tally.refused:
            sentence = (
                f"not one line can be read ({tally.commonest}): the file is not as published, fetch it again"
            )
            raise DirectoryProblem("directory-bad-lines", sentence)
        raise DirectoryProblem(
            "directory-empty", "there is no line after the headings: ask for the file again"
        )
    return Meta(
        builder.rows,
        builder.addresses(),
        tally.refused,
        source.name,
        source.generated,
        time.time(),
        digest.hexdigest(),
    )


def _check_age(source: Source, before: Meta | None, force: bool) -> None:
    if before is not None and source.generated < before.generated_at and not force:
        day, held = (
            time.strftime("%Y-%m-%d %H:%M", time.gmtime(at)) for at in (source.generated, before.generated_at)
        )
        sentence = f"the file of {day} is older than the one in force ({held}): --force takes it all the same"
        raise DirectoryProblem("directory-older", sentence, forcible=True)


def _check_rows(meta: Meta, before: Meta | None, options: DirectoryOptions, force: bool) -> None:
    if before is None or force:
        return
    missing = before.rows - meta.rows
    if missing > before.rows * options.max_removed:
        sentence = (
            f"the file has {meta.rows} rows where {before.rows} are in force, {missing / before.rows:.0%} less:"
            " look at it, then import it with --force"
        )
        raise DirectoryProblem("directory-mass-removal", sentence, forcible=True)


def _check_lines(meta: Meta, tally: Tally, options: DirectoryOptions, force: bool) -> None:
    if not force and tally.refused > tally.lines * options.max_refused:
        sentence = (
            f"{tally.refused} of {tally.lines} lines cannot be read ({tally.commonest}): the file is not as published;"
            " --force imports the others"
        )
        raise DirectoryProblem("directory-bad-lines", sentence, forcible=True)
