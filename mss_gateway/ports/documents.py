"""What the straight line needs of the arm that reads IHE_XDM archives (INS-6)."""

from __future__ import annotations

from collections.abc import Callable

from mss_gateway.rules.facts import ArchiveFacts

ReadArchive = Callable[[bytes], ArchiveFacts]
"""From the decoded octets of an archive to what it says of its patients; CPU only, never raises."""
