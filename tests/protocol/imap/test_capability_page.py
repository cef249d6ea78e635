"""The page about the IMAP server names what CAPABILITY announces, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mss_gateway.protocol.imap.events import State
from mss_gateway.protocol.imap.options import ImapOptions, capability_list

PAGE = Path(__file__).parents[3] / "docs" / "imap.md"
NUMBERED = {"APPENDLIMIT", "MESSAGELIMIT"}
"""Words that are announced with a number of the configuration."""


@pytest.mark.req("IMP-1")
def test_the_page_names_every_capability_and_no_other() -> None:
    """Each word stands in the first column of the table."""
    options = ImapOptions(message_limit=1)
    words = capability_list(options, State.AUTHENTICATED, tls=True, mechanisms=()).decode().split()
    section = PAGE.read_text(encoding="utf-8").partition("## What is announced")[2].partition("\n## ")[0]
    named = [
        name for row in re.findall(r"(?m)^\| (`.*?) \|", section) for name in re.findall(r"`([^`]+)`", row)
    ]
    assert len(named) == len(set(named))
    heads = {word.partition("=")[0] for word in words}
    assert set(named) == {word for word in words if word.partition("=")[0] not in NUMBERED} | (
        NUMBERED & heads
    )
