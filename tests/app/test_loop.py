"""What the process of a gateway is given before anything is opened (OPS-1, OPS-4)."""

from __future__ import annotations

import subprocess
import sys

import pytest

CHILD = """
import os, resource, signal
from mss_gateway.app.loop import settle_process
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
settle_process()
os.kill(os.getpid(), signal.SIGHUP)
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def limits_of(soft: str, hard: str) -> list[int]:
    """Soft and hard limit of open files of a process that began with these, after a reload that came too early."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD.format(soft=soft, hard=hard)], capture_output=True, text=True, check=True
    )
    return [int(word) for word in done.stdout.split()]


@pytest.mark.req("OPS-4")
@pytest.mark.parametrize(
    ("soft", "hard", "found"), [("256", "2048", [2048, 2048]), ("2048", "2048", [2048, 2048])]
)
def test_files_are_allowed_as_many_as_the_system_lets(soft: str, hard: str, found: list[int]) -> None:
    """With 1,024 files twenty hosts could hold enough connections open to keep the store from its own files."""
    assert limits_of(soft, hard) == found


@pytest.mark.req("OPS-4")
def test_a_higher_limit_is_left_alone_up_to_what_is_of_use() -> None:
    """Not a million: tables of some systems grow with the limit."""
    soft, hard = limits_of("64", "hard")
    assert soft == min(65_536, hard)
