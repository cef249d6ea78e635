"""The status page in Chromium: read on a screen and on a phone, by day and by night; pictures for people (OPS-4)."""

import os
import struct
from pathlib import Path

import pytest

from mss_gateway.observe.events import Event
from tests.support.chromium import Chromium
from tests.support.ops import TOKEN, OpsServed, ops_gateway, parsed

pytestmark = [pytest.mark.foreign, pytest.mark.timeout(600)]
ARTEFACTS = Path(os.environ.get("ARTEFACTS") or Path(__file__).parents[2] / "build" / "artefacts")
SECTIONS = {"file", "debit", "liste", "certificats", "crl", "echanges", "disque", "refus", "controles"}
VIEWS = (("status", 1280, 1600, False), ("status-phone", 390, 844, False), ("status-dark", 1280, 1600, True))


def some_life(ops: OpsServed) -> None:
    """Events of a day, none of which names anybody."""
    log = ops.served.parts.log
    for _ in range(25):
        log.info(Event.MESSAGE_ACCEPTED, transaction="", caller="operator", size=12_000, placed=1, queued=1)
    for reason in ("dn-not-listed", "unknown-box", "ins-key", "channel-closed"):
        log.info(Event.MESSAGE_REFUSED, transaction="", peer="", reason=reason)
    log.info(Event.RELAY_DEFERRED, domain="hopital.example", host="", reason="connect-refused", recipients=2)


@pytest.mark.req("OPS-4", "AUD-5")
def test_chromium_shows_the_page(tmp_path: Path) -> None:
    """Every section is there, styled, without a script; the token is asked for; the pictures are kept."""
    with ops_gateway(tmp_path) as ops:
        some_life(ops)
        browser = Chromium(tmp_path, Path(ops.served.handout.own.cert))
        url = f"https://ops:{TOKEN}@localhost:{ops.port}/status"
        document = parsed(browser.document(url))
        assert {section.get("id") for section in document.iter("section")} == SECTIONS
        assert not list(document.iter("script"))
        assert not document.xpath("//@onclick | //@onload | //@style")
        text = document.text_content()
        for said in ("Tout va bien", "BAL inexistante", "le serveur refuse la connexion", "reçus et gardés"):
            assert said in text
        assert document.xpath("string(//html/@lang)") == "fr"
        assert "@" not in text
        for account in ops.served.handout.accounts:
            assert account.login not in text
        assert "Tout va bien" not in browser.document(f"https://localhost:{ops.port}/status")
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        for name, width, height, dark in VIEWS:
            picture = browser.screenshot(url, width, height, dark=dark)
            (ARTEFACTS / f"{name}.png").write_bytes(picture)
            assert struct.unpack(">II", picture[16:24]) == (width, height)
            assert len(picture) > 30_000  # a page without its style sheet has less
        assert ops.served.faults() == 0
