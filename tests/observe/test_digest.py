"""A seal in the log is the seal: it is evidence only when it can be compared whole (AUD-1, INS-7)."""

from __future__ import annotations

import io
import json

import pytest

from mss_gateway.observe.events import Event
from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log, LogOptions
from mss_gateway.observe.redact import Digest, clean

LINK = "38be8746d337424b22acb7f4a8729577880d9c8bde2a7cef8214950616038c11"
"""With thirteen digits in a row, which alone would be masked."""


@pytest.mark.req("AUD-1")
def test_a_seal_is_logged_whole() -> None:
    """One in sixty of them was written with stars."""
    out = io.BytesIO()
    Log(LogOptions(), Figures(), out).info(Event.AUDIT_SEALED, line=7, link=Digest(LINK))
    assert json.loads(out.getvalue())["link"] == LINK
    assert clean(LINK) != LINK


@pytest.mark.req("INS-7")
@pytest.mark.parametrize(
    "text", ["", LINK[:-1], LINK + "0", LINK.upper(), "285037728417346".rjust(64), f"{LINK}\n"]
)
def test_nothing_else_is_let_past_the_masking(text: str) -> None:
    """Neither a shorter nor a longer one, nor an INS in blanks."""
    with pytest.raises(ValueError, match="no digest"):
        Digest(text)
