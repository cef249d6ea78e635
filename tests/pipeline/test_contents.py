"""Files and archives of a message: every kind is judged, none of it costs the loop or the recipients (PAT-5, INS-6)."""

from __future__ import annotations

import asyncio
import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

from mss_gateway.mail.message import Header
from mss_gateway.mail.structure import MAX_PARTS
from mss_gateway.pipeline.contents import MAX_ARCHIVES, Contents, look_inside
from mss_gateway.pipeline.spool import Spooled
from mss_gateway.rules.attachments import kind_of
from mss_gateway.rules.facts import ArchiveFacts

HEADER = b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'


@pytest.fixture
def executor() -> Iterator[Executor]:
    """One thread."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def message(*files: tuple[str, str]) -> Spooled:
    """A message with files of these media types and names."""
    parts = [
        f'--b\r\nContent-Type: {kind}; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
        f"Content-Disposition: attachment\r\n\r\n{b64encode(name.encode()).decode()}\r\n"
        for kind, name in files
    ]
    text = "".join(parts).encode() + b"--b--\r\n"
    return Spooled(HEADER, text, len(HEADER) + len(text))


class Readings:
    """Reads archives: remembers what, and in which thread."""

    def __init__(self, problem: str = "") -> None:
        self.problem = problem
        self.read: list[bytes] = []
        self.threads: set[int] = set()

    def __call__(self, data: bytes) -> ArchiveFacts:
        """A `ReadArchive`."""
        self.read.append(data)
        self.threads.add(threading.get_ident())
        return ArchiveFacts(self.problem)


async def looked(executor: Executor, readings: Readings, *files: tuple[str, str]) -> Contents:
    """What is found in a message of these files."""
    spooled = message(*files)
    return await look_inside(spooled, Header(spooled.header), readings, executor, closed=False)


@pytest.mark.req("INS-6")
async def test_archives_are_never_unpacked_on_the_loop(executor: Executor) -> None:
    """However small the message: some kB may unpack into half a second of work."""
    readings = Readings()
    found = await looked(executor, readings, ("application/zip", "IHE_XDM.zip"))
    assert readings.read == [b"IHE_XDM.zip"]
    assert threading.get_ident() not in readings.threads
    assert found.archives == (ArchiveFacts(),)


@pytest.mark.req("INS-6")
async def test_one_bad_archive_is_enough(executor: Executor) -> None:
    """The message is refused for it: the others would only cost."""
    readings = Readings("xdm-not-zip")
    files = [("application/zip", f"IHE_XDM_{number}.zip") for number in range(MAX_ARCHIVES)]
    found = await looked(executor, readings, *files)
    assert len(readings.read) == 1
    assert found.archives == (ArchiveFacts("xdm-not-zip"),)


@pytest.mark.req("INS-6", "PAT-5")
async def test_beyond_the_last_archive_files_are_still_judged(executor: Executor) -> None:
    """A gate that only warns must not hide a program behind twenty archives."""
    archives = [("application/zip", f"IHE_XDM_{number}.zip") for number in range(MAX_ARCHIVES + 2)]
    found = await looked(executor, Readings(), *archives, ("application/x-msdownload", "note.exe"))
    assert [one.problem for one in found.archives] == [""] * MAX_ARCHIVES + ["xdm-too-many"]
    assert None in {kind_of(one) for one in found.attachments}


@pytest.mark.req("PAT-5")
async def test_files_of_one_kind_are_judged_as_one(executor: Executor) -> None:
    """Nothing of another kind hides behind them, whatever its name or type has in common."""
    many = [("application/pdf", f"{number}.pdf") for number in range(500)]
    odd = [
        ("application/pdf", "note.exe"),
        ("application/zip", "IHE_XDM.zip"),
        ("application/zip", "autre.zip"),
        ("application/octet-stream", "pdf"),
        ("application/octet-stream", "a.pdf"),
    ]
    found = await looked(executor, Readings(), *many, *odd)
    kinds = [(one.media_type, kind_of(one)) for one in found.attachments]
    assert sorted(map(str, kinds)) == sorted(
        map(
            str,
            [
                ("application/pdf", "pdf"),
                ("application/pdf", None),
                ("application/zip", "ihe_xdm"),
                ("application/zip", None),
                ("application/octet-stream", None),
                ("application/octet-stream", "pdf"),
            ],
        )
    )


async def test_the_loop_goes_on_meanwhile(executor: Executor) -> None:
    """Somebody else's turn comes while an archive is read."""
    reading, may_end = threading.Event(), threading.Event()

    def slow(_: bytes) -> ArchiveFacts:
        reading.set()
        may_end.wait(60)
        return ArchiveFacts()

    spooled = message(("application/zip", "IHE_XDM.zip"))
    looking = look_inside(spooled, Header(spooled.header), slow, executor, closed=False)
    task = asyncio.create_task(looking)
    assert await asyncio.to_thread(reading.wait, 60)
    may_end.set()
    assert (await task).archives == (ArchiveFacts(),)


PROGRAM = b'--b\r\nContent-Type: application/x-msdownload; name="a.exe"\r\n\r\nMZ\r\n--b--\r\n'
LITTLE = b"--b\r\n\r\nx\r\n"
HIDING = {
    "behind too many parts": (HEADER, LITTLE * (MAX_PARTS + 5) + PROGRAM),
    "behind false delimiters": (HEADER, LITTLE + b"--bx\r\n" * 100_010 + PROGRAM),
    "under a second type": (
        b"Content-Type: text/plain\r\n" + HEADER,
        LITTLE + PROGRAM,
    ),
    "under a boundary too long": (
        HEADER.replace(b'"b"', b'"' + b"b" * 300 + b'"'),
        PROGRAM.replace(b"--b", b"--" + b"b" * 300),
    ),
    "under no boundary": (HEADER.replace(b'; boundary="b"', b""), PROGRAM),
    "in a part of two types": (
        HEADER,
        b'--b\r\nContent-Type: text/plain\r\nContent-Type: application/zip; name="IHE_XDM.zip"\r\n\r\nPK\r\n--b--\r\n',
    ),
    "in a part of two dispositions": (
        HEADER,
        b"--b\r\nContent-Type: text/plain\r\nContent-Disposition: inline\r\n"
        b'Content-Disposition: attachment; filename="a.exe"\r\n\r\nMZ\r\n--b--\r\n',
    ),
}
"""Where a program may see a file that the gateway does not."""


@pytest.mark.req("PAT-5", "INS-6")
@pytest.mark.parametrize("where", HIDING)
async def test_nothing_hides_where_programs_disagree(executor: Executor, where: str) -> None:
    """What cannot be read in one way only is a file that no patient may receive."""
    header, text = HIDING[where]
    spooled = Spooled(header, text, len(header) + len(text))
    found = await look_inside(spooled, Header(header), Readings(), executor, closed=False)
    assert None in {kind_of(one) for one in found.attachments}


@pytest.mark.req("PAT-5")
async def test_what_is_said_twice_alike_is_no_contradiction(executor: Executor) -> None:
    """Some software repeats a field word for word."""
    header = HEADER.replace(b"Content-Type", b'Content-Type: multipart/mixed; boundary="b"\r\nContent-Type')
    text = LITTLE + b"--b--\r\n"
    found = await look_inside(Spooled(header, text, 1), Header(header), Readings(), executor, closed=False)
    assert found.attachments == ()
