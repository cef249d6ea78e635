"""A message under way: in memory while small, in a file when large or when the caller wants no more in memory."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.base.errors import Refuse
from mss_gateway.pipeline.spool import HEADER_TOO_LARGE, MEMORY_LIMIT, Spool, Spooled
from mss_gateway.ports.records import SpoolFile

HEAD = b"Subject: spool\r\n\r\n"


@pytest.fixture(scope="module")
def executor() -> Iterator[ThreadPoolExecutor]:
    """A thread that writes."""
    with ThreadPoolExecutor(1) as made:
        yield made


async def spooled(
    folder: Path, executor: ThreadPoolExecutor, data: bytes, memory: int, cut: int
) -> Spooled | Refuse:
    """Add the octets in pieces and finish; what was spooled must be whole, and gone after `discard`."""
    path = folder / "spool"
    spool = Spool(path, executor)
    for at in range(0, len(data), cut):
        await spool.add(data[at : at + cut])
    found = await spool.finish(memory)
    if isinstance(found, Spooled):
        text = found.text
        assert found.size == spool.size == len(data)
        if isinstance(text, SpoolFile):
            assert text.path.read_bytes()[text.offset : text.offset + text.size] == data[len(found.header) :]
        else:
            assert found.header + text == data
    await spool.discard()
    assert not path.exists()
    return found


@pytest.mark.parametrize(
    ("size", "memory", "in_file"),
    [
        (0, 0, False),
        (1, 0, True),
        (1000, 1000, False),
        (1000, 999, True),
        (MEMORY_LIMIT - len(HEAD) - 1, MEMORY_LIMIT, False),
        (MEMORY_LIMIT, MEMORY_LIMIT, True),
        (3 * MEMORY_LIMIT, 0, True),
    ],
)
async def test_where_the_text_lies(
    tmp_path: Path, executor: ThreadPoolExecutor, size: int, memory: int, in_file: bool
) -> None:
    """At most `memory` octets of text in memory; the header always."""
    found = await spooled(tmp_path, executor, HEAD + b"x" * size, memory, 50_000)
    assert isinstance(found, Spooled)
    assert found.header == HEAD
    assert isinstance(found.text, SpoolFile) is in_file


@pytest.mark.parametrize("memory", [0, MEMORY_LIMIT])
async def test_a_message_that_is_all_header(
    tmp_path: Path, executor: ThreadPoolExecutor, memory: int
) -> None:
    """Without an empty line there is no text, whatever may stay in memory; over the bound it is refused."""
    found = await spooled(tmp_path, executor, b"X: y\r\n" * 100, memory, 100)
    assert isinstance(found, Spooled)
    assert found.text == b""
    assert await spooled(tmp_path, executor, b"X: y\r\n" * 60_000, memory, 50_000) == HEADER_TOO_LARGE


@settings(max_examples=40, deadline=None)
@given(
    data=st.binary(max_size=300),
    head=st.sampled_from([HEAD, b"", b"\r\n", b"A: b\r\n"]),
    memory=st.integers(0, 300),
)
async def test_any_message_comes_back_whole(
    tmp_path_factory: pytest.TempPathFactory,
    executor: ThreadPoolExecutor,
    data: bytes,
    head: bytes,
    memory: int,
) -> None:
    """Octet for octet, wherever it lies."""
    await spooled(tmp_path_factory.mktemp("spool"), executor, head + data or b"\r\n", memory, 7)
