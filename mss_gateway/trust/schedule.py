"""When each address was fetched and is due again; kept, so that restarts do not trouble the publisher (TRU-3)."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from .anchors import read_file
from .fetch import Marks
from .files import keep
from .refusals import TrustProblem

FIRST_RETRY = 60.0  # seconds after the first failure; doubled by each one that follows
JITTER = 0.1  # share of the interval by which a fetch may come early
FILE = "fetches.json"


@dataclass(frozen=True, slots=True)
class Fetch:
    """The record of one address, times in epoch seconds (0: never).

    `reason` and `sentence` tell why it could not be fetched last time, `refused` and `remark` why its content
    was not taken; all empty when it was.
    """

    url: str
    tried: float = 0.0
    fetched: float = 0.0
    due: float = 0.0
    failures: int = 0
    etag: str = ""
    modified: str = ""
    reason: str = ""
    sentence: str = ""
    refused: str = ""
    remark: str = ""

    @property
    def marks(self) -> Marks:
        """What to ask the publisher with."""
        return Marks(self.etag, self.modified)


class Schedule:
    """The records of all addresses; without a folder they live as long as the process."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / FILE if folder is not None else None
        self._records: dict[str, Fetch] = self._read()
        self.fault: TrustProblem | None = None  # why the records are not kept

    def of(self, url: str) -> Fetch:
        """The record of an address."""
        return self._records.get(url) or Fetch(url)

    def is_due(self, url: str, every: float, now: float) -> bool:
        """True when the time has come, or when the clock or the setting made the record meaningless."""
        due = self.of(url).due
        return now >= due or due - now > max(every, FIRST_RETRY)

    def succeeded(self, url: str, marks: Marks, interval: float, now: float) -> None:
        """Fetched and taken, or unchanged."""
        due = now + interval * (1.0 - JITTER * random.random())
        self._put(Fetch(url, now, now, due, 0, marks.etag, marks.modified))

    def unchanged(self, url: str, interval: float, now: float) -> None:
        """The publisher says that nothing changed: what was said of the content remains."""
        due = now + interval * (1.0 - JITTER * random.random())
        self._put(replace(self.of(url), tried=now, fetched=now, due=due, failures=0, reason="", sentence=""))

    def held(self, url: str, problem: TrustProblem, interval: float, now: float) -> None:
        """Fetched, and waits for a person."""
        self.succeeded(url, Marks(), interval, now)
        self._put(replace(self.of(url), refused=problem.reason, remark=problem.sentence))

    def failed(self, url: str, problem: TrustProblem, every: float, now: float, *, content: bool) -> None:
        """Not fetched, or (`content`) fetched and refused: soon again, and later each time."""
        before = self.of(url)
        wait = min(FIRST_RETRY * 2.0 ** min(before.failures, 16), max(every, FIRST_RETRY))
        after = replace(
            before,
            tried=now,
            due=now + wait * (1.0 - JITTER * random.random()),
            failures=before.failures + 1,
        )
        if content:
            marked = replace(after, fetched=now, etag="", modified="", reason="", sentence="")
            self._put(replace(marked, refused=problem.reason, remark=problem.sentence))
        else:
            self._put(replace(after, reason=problem.reason, sentence=problem.sentence))

    def forgive(self, url: str) -> None:
        """Forget what was said of the content: a person has decided."""
        if self.of(url).refused:
            self._put(replace(self.of(url), refused="", remark=""))

    def _put(self, record: Fetch) -> None:
        self._records = {**self._records, record.url: record}
        if self._path is not None:
            lines = [asdict(one) for one in self._records.values()]
            try:
                keep(self._path, json.dumps(lines, indent=1).encode("utf-8"))
                self.fault = None
            except TrustProblem as problem:  # what was fetched counts all the same
                self.fault = problem

    def _read(self) -> dict[str, Fetch]:
        """A record that cannot be read only means that everything is due."""
        if self._path is None or not self._path.is_file():
            return {}
        try:
            return {one.url: one for one in map(_record, json.loads(read_file(self._path)))}
        except (ValueError, TypeError, TrustProblem):
            return {}


def _record(line: object) -> Fetch:
    if not isinstance(line, dict):
        raise TypeError
    kinds = {one.name: type(one.default) for one in fields(Fetch)} | {"url": str}
    if any(not isinstance(line.get(name), kind) for name, kind in kinds.items()):
        raise TypeError
    return Fetch(**{name: line[name] for name in kinds})
