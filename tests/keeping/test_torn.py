"""Torn backups, each with its sentence; full disks; runs that were killed (OPS-5)."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path

import pytest
import pytest_asyncio

from mss_gateway.ports.keeping import KeepProblem, Work
from mss_gateway.storage.sqlite.backup import HOLD, back_up
from mss_gateway.storage.sqlite.backup_options import Task
from mss_gateway.storage.sqlite.backup_verify import list_backups, verify_backups
from mss_gateway.storage.sqlite.restore import restore
from tests.support.keeping import LARGE, MIDDLE, SMALL, Kept, quiet

pytestmark = pytest.mark.req("OPS-5")


@pytest_asyncio.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    """A store with messages of every size, and one backup of it."""
    made = await Kept(tmp_path).open()
    await made.deliver(SMALL, MIDDLE, LARGE)
    back_up(made.task(), quiet)
    yield made
    await made.store.close()


def piece(target: Path) -> Path:
    """The largest one of a text: it stays as it is whatever the store writes meanwhile, and the database does not."""
    files = json.loads(manifest(target).read_text(encoding="utf-8").splitlines()[0])["files"]
    of_texts = {name for file in files if "/segments/" in file["path"] for name in file["chunks"]}
    found = [path for path in (target / "chunks").rglob("*") if path.name in of_texts]
    return max(found, key=lambda path: path.stat().st_size)


def whole_pieces(target: Path) -> int:
    """How many there are, while others are written and get their names."""
    return sum(len(path.name) == 64 for path in (target / "chunks").rglob("*"))


def manifest(target: Path) -> Path:
    """The list of files of the only backup."""
    (path,) = (target / "backups").iterdir()
    return path


def missing(target: Path) -> None:
    """A piece is gone."""
    piece(target).unlink()


def cut(target: Path) -> None:
    """A piece is shorter."""
    path = piece(target)
    os.truncate(path, path.stat().st_size - 1)


def altered(target: Path) -> None:
    """One octet of a piece is another one."""
    path = piece(target)
    octets = bytearray(path.read_bytes())
    octets[len(octets) // 2] ^= 1
    path.write_bytes(octets)


def cut_list(target: Path) -> None:
    """The list of files ends in the middle."""
    path = manifest(target)
    path.write_bytes(path.read_bytes()[:300])


def altered_list(target: Path) -> None:
    """The list names another instant, its closing digest the old one."""
    path = manifest(target)
    path.write_bytes(path.read_bytes().replace(b'"at":1', b'"at":2'))


def signed(target: Path, **values: object) -> None:
    """A list with these values, rightly closed."""
    path = manifest(target)
    found = json.loads(path.read_text(encoding="utf-8").splitlines()[0]) | values
    text = json.dumps(found).encode()
    path.write_bytes(text + b"\n" + sha256(text).hexdigest().encode() + b"\n")


def newer(target: Path) -> None:
    """Made by a gateway that knows another form."""
    signed(target, format=99, gateway="9.0")


def newer_store(target: Path) -> None:
    """Made by a gateway with a later migration."""
    signed(target, migration=9999)


def outside(target: Path) -> None:
    """A list that names a file outside of the new folder."""
    files = [{"path": "../dehors", "size": 0, "chunk": 1, "chunks": [], "segment": None}]
    signed(target, files=files)


TORN: dict[Callable[[Path], None], str] = {
    missing: r"is torn: 1 of its pieces are missing, the first is \w{64}: take another one",
    cut: r"is torn: 1 of its pieces are cut, the first is \w{64}: take another one",
    altered: r"is torn at store/\S+: The piece \w{64} was changed or cut. Take another one",
    cut_list: r"list of files of the backup \w+ is cut or changed: take another one",
    altered_list: r"list of files of the backup \w+ is cut or changed: take another one",
    newer: r"was made by a newer gateway \(9.0\): install that one",
    newer_store: r"has a store of version 9999, this gateway knows \d+: install the newer gateway",
    outside: r"names the file '../dehors': it was changed",
}


@pytest.mark.parametrize("tear", TORN, ids=lambda tear: tear.__name__)
async def test_a_torn_backup_is_refused_with_its_sentence(
    kept: Kept, tmp_path: Path, tear: Callable[[Path], None]
) -> None:
    """Nothing half restored is left, so that nothing looks whole that is not."""
    tear(kept.target)
    with pytest.raises(KeepProblem, match=TORN[tear]):
        restore(kept.target, tmp_path / "new", "", None, quiet)
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "dehors").exists()


@pytest.mark.parametrize("tear", [missing, cut, altered, cut_list], ids=lambda tear: tear.__name__)
async def test_verify_finds_it_and_a_full_read_mends_it(kept: Kept, tear: Callable[[Path], None]) -> None:
    """The finding names the backup; the next full backup writes the piece again."""
    (name,) = [one["backup"] for one in list_backups(kept.target)]
    tear(kept.target)
    found = verify_backups(kept.target, None, "", quiet)
    assert [one["row"] for one in found["findings"]] == [f"backup {name}"]
    back_up(kept.task(full_read=True), quiet)
    left = verify_backups(kept.target, None, "", quiet)["findings"]
    assert len(left) == (1 if tear is cut_list else 0)


async def test_a_folder_without_backups_says_so(kept: Kept, tmp_path: Path) -> None:
    """An empty folder, and one in which no backup was completed."""
    with pytest.raises(KeepProblem, match="holds no backups"):
        restore(tmp_path / "nothing", tmp_path / "new", "", None, quiet)
    manifest(kept.target).unlink()
    with pytest.raises(KeepProblem, match="no complete backup"):
        restore(kept.target, tmp_path / "new", "", None, quiet)


class Worker:
    """The process that does a task; `limit` is the largest file that it may write."""

    def __init__(self, task: Task, limit: int = 0) -> None:
        code = "from mss_gateway.storage.sqlite.backup_worker import main; main()"
        if limit:
            code = (
                f"import resource, signal; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}));"
                f" signal.signal(signal.SIGXFSZ, signal.SIG_IGN); {code}"
            )
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdin is not None
        pickle.dump(task, self.process.stdin)
        self.process.stdin.flush()

    def answer(self) -> dict[str, object]:
        """What it says in the end."""
        assert self.process.stdout is not None
        last = self.process.stdout.read().splitlines()[-1]
        self.close()
        return dict(json.loads(last))

    def close(self) -> None:
        """Let go of it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(90)


async def test_a_full_disk_ends_the_backup_with_its_sentence(kept: Kept) -> None:
    """What was complete before stays, no half backup is listed, and the next one completes."""
    await kept.deliver(LARGE + 1)
    before = list_backups(kept.target)
    said = Worker(kept.task(), limit=20_000).answer()
    assert said["reason"] == "target-full"
    assert "make room or keep fewer" in str(said["problem"])
    assert list_backups(kept.target) == before
    assert not (kept.state / "store" / HOLD).exists()
    assert "result" in Worker(kept.task()).answer()
    assert verify_backups(kept.target, None, "", quiet)["whole"]


def with_limit(folder: Path, target: Path, limit: int) -> str:
    """What a restore says that may write no larger file."""
    code = (
        "import resource, signal, sys; from pathlib import Path;"
        f" resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}));"
        " signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        " from mss_gateway.storage.sqlite.restore import restore;"
        f" restore(Path({str(target)!r}), Path({str(folder)!r}), '', None, lambda a, b, c: None)"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr


async def test_a_disk_that_fills_up_during_a_restore(kept: Kept, tmp_path: Path) -> None:
    """It says so, and what was written is gone."""
    said = with_limit(tmp_path / "new", kept.target, 40_000)
    assert "No space left in" in said
    assert "what was written has been removed" in said
    assert not (tmp_path / "new").exists()


async def test_a_killed_backup_leaves_nothing_behind_that_counts(kept: Kept, tmp_path: Path) -> None:
    """SIGKILL in the middle: no new backup is listed; the next run removes the rest and completes."""
    await kept.deliver(*range(LARGE, LARGE + 40))
    before = list_backups(kept.target)
    worker = Worker(kept.task(rate=200_000))
    hold = kept.state / "store" / HOLD
    limit = time.monotonic() + 90
    while not (hold.exists() and whole_pieces(kept.target) > 8):
        assert time.monotonic() < limit
        await asyncio.sleep(0.005)
    worker.process.send_signal(signal.SIGKILL)
    worker.close()
    assert hold.exists()
    assert list_backups(kept.target) == before
    (kept.target / "chunks" / "ab").mkdir(exist_ok=True)
    half = kept.target / "chunks" / "ab" / f"ab{'0' * 62}.tmp"
    half.write_bytes(b"half")
    made = back_up(kept.task(), quiet)
    assert not hold.exists()
    assert not half.exists()
    assert restore(kept.target, tmp_path / "new", "", None, quiet)["backup"] == made["backup"]


async def test_the_process_ends_with_the_one_that_started_it(kept: Kept) -> None:
    """A gateway that is killed leaves no backup running, and no second names of segments."""
    await kept.deliver(*range(LARGE, LARGE + 40))
    worker = Worker(kept.task(rate=100_000))
    hold = kept.state / "store" / HOLD
    limit = time.monotonic() + 90
    while not hold.exists():
        assert time.monotonic() < limit
        await asyncio.sleep(0.005)
    worker.close()
    assert worker.process.returncode == 1
    assert not hold.exists()


async def test_one_at_a_time(kept: Kept) -> None:
    """A second run on the same folder of backups is refused."""
    refused: list[str] = []

    def meanwhile(phase: str, done: int, total: int) -> None:
        if not refused:
            with pytest.raises(KeepProblem) as raised:
                back_up(kept.task(Work.BACKUP), quiet)
            refused.append(raised.value.reason)

    back_up(kept.task(full_read=True), meanwhile)
    assert refused == ["backup-busy"]


async def test_a_fault_of_ours_is_told_by_kind_and_place(kept: Kept) -> None:
    """Never by its text, and never by silence."""
    said = Worker(kept.task(Work.PRUNE)).answer()
    assert said["reason"] == "fault"
    assert str(said["problem"]).startswith("A fault of ours (KeyError at backup_worker.py:")
