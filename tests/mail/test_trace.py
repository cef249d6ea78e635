"""Trace fields: what stands in front of a stored message, and what of it goes to another server."""

from __future__ import annotations

import pytest

from mss_gateway.mail.trace import return_path, without_return_path


@pytest.mark.req("RTE-7", "TRU-5")
@pytest.mark.parametrize("sender", ["", "a@b.example", "élève@b.example", "a b\r\nX: y@b.example"])
def test_the_return_path_stays_at_home(sender: str) -> None:
    """What goes to another operator begins after our Return-Path; a header without one goes as it is."""
    rest = b"Received: from x\r\n by y; now\r\nSubject: Return-Path: <z>\r\n\r\n"
    assert without_return_path(return_path(sender) + rest) == rest
    assert without_return_path(rest) == rest
