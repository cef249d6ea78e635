"""What a backup tells to who has no key for it, or what it tells when it has none: never mail (AUD-5, OPS-5)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mss_gateway.storage.sqlite.backup import back_up
from mss_gateway.storage.sqlite.backup_chunks import read_key
from mss_gateway.storage.sqlite.backup_verify import list_backups, verify_backups
from tests.support.canary import UNKNOWN, WORDS, leaks
from tests.support.keeping import Kept, quiet
from tests.support.store import add_box, body, delivery

SECRETS = {word: word for word in (*WORDS, UNKNOWN.lower(), UNKNOWN[:13].lower())}
MESSAGE = (
    f"Subject: canarisujet {UNKNOWN}\r\nX-Note: canarientete\r\n\r\ncanaricorps {UNKNOWN}\r\n".encode() * 50
)


async def _filled(folder: Path) -> Kept:
    kept = await Kept(folder).open()
    patient = await add_box(kept.store, UNKNOWN)
    for box in (kept.box, patient.id):
        await kept.store.accept(delivery(body(MESSAGE), box))
    await kept.store.create_folder(patient.id, f"canaridossier {UNKNOWN}")
    return kept


@pytest.mark.req("AUD-5", "OPS-5")
@pytest.mark.parametrize("sealed", [True, False])
async def test_names_manifests_lists_and_reports_hold_no_canary(tmp_path: Path, sealed: bool) -> None:
    """A manifest has names of our files, sizes and digests; with a key the pieces hold nothing either."""
    kept = await _filled(tmp_path)
    key = tmp_path / "key"
    key.write_bytes(bytes(range(200, 232)))
    key.chmod(0o600)
    heard: list[str] = []

    def report(phase: str, done: int, total: int) -> None:
        heard.append(phase)

    task = kept.task(key_file=key if sealed else None)
    told = [
        back_up(task, report),
        list_backups(kept.target),
        verify_backups(kept.target, read_key(key) if sealed else None, "", quiet),
    ]
    assert leaks(SECRETS, json.dumps([told, heard], default=str)) == set()
    manifests = list(kept.target.rglob("*.json"))
    assert manifests
    octets = {path: path.read_bytes().decode("latin-1") for path in kept.target.rglob("*") if path.is_file()}
    for path, text in octets.items():
        assert leaks(SECRETS, str(path.relative_to(kept.target))) == set()
        if sealed or path in manifests:
            assert leaks(SECRETS, text) == set(), path
            assert key.read_bytes() not in path.read_bytes()
    await kept.store.close()


def test_the_same_search_finds_them_in_the_clear() -> None:
    """The test can fail."""
    assert {"canarisujet", "canaricorps", "canarientete"} <= leaks(SECRETS, MESSAGE.decode())
