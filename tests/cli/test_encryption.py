"""`mss-gateway encryption …` on a store that no gateway has open, and beside one that serves (OPS-5)."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mss_gateway.ops.encryption import EncryptionOperations
from mss_gateway.ops.operation import OperationRefused
from mss_gateway.pipeline.reencryption import Reencryption
from mss_gateway.ports.encryption import Goal
from mss_gateway.settings import load
from mss_gateway.storage.sqlite import SqliteOptions, SqliteStore
from tests.support.commands import Site
from tests.support.store import add_box, body, delivery, sealing, sqlite_options, trace_line

pytestmark = pytest.mark.req("OPS-5")
COUNT = 12


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An own store with some messages in the clear."""
    made = Site(tmp_path, empty=True)

    async def fill() -> None:
        options = load(made.config).store
        store = SqliteStore(SqliteOptions(options.path, audit_key=options.audit_key))
        await store.open()
        box = await add_box(store)
        for number in range(COUNT):
            await store.accept(delivery(body(b"x" * 10_000 * number), box.id))
        await store.close()

    asyncio.run(fill())
    (tmp_path / "keys").touch(0o600)
    return made


def configure(site: Site, mode: str, *names: str) -> None:
    """Switch encryption on or off, with a ring of keys of these names."""
    ring = "".join(f"{name} {name[-1] * 64}\n" for name in names)
    (site.folder / "keys").write_text(ring)
    text = site.config.read_text(encoding="utf-8").partition("[encryption]")[0]
    site.config.write_text(f'{text}[encryption]\nmode = "{mode}"\nkey_file = "keys"\n', encoding="utf-8")


def keys(result: dict[str, Any]) -> dict[str, int]:
    """Messages by the name of their key."""
    return {key["name"]: key["messages"] for key in result["keys"]}


def test_on_rotated_and_off_again(site: Site) -> None:
    """Old mail is encrypted, gets a new key, and is laid open; each step says how it stands."""
    assert site.json("encryption", "status")["encrypting"] is False
    refused = site.json("encryption", "encrypt-existing", status=4)
    assert refused["reason"] == "not-encrypting"
    configure(site, "on", "k1")
    found = site.json("encryption", "encrypt-existing")
    assert (found["changed"], found["in_the_clear"], keys(found), found["work"]) == (
        COUNT,
        0,
        {"k1": COUNT},
        None,
    )
    status, said = site.run("encryption", "wipe")
    assert status == 0, said
    configure(site, "on", "k1", "k2")
    status, said = site.run("encryption", "rotate")
    assert status == 0, said
    assert "rotate: done" in said
    configure(site, "on", "k2")
    status, said = site.run("encryption", "status")
    assert status == 0, said
    assert "New messages are encrypted" in said
    assert "k2" in said
    assert site.json("encryption", "decrypt", status=4)["reason"] == "encrypting"
    configure(site, "on", "k3")
    refused = site.json("encryption", "status", status=6)
    assert "the key 'k2' is not there" in refused["error"]
    configure(site, "off", "k2")
    assert site.json("encryption", "decrypt")["in_the_clear"] == COUNT


async def test_a_gateway_that_serves_goes_on_with_what_was_begun(tmp_path: Path) -> None:
    """The background work begins at the start, or when it is told; `wipe` is refused meanwhile."""
    clear = SqliteStore(sqlite_options(tmp_path / "store"))
    await clear.open()
    box = await add_box(clear)
    for _ in range(COUNT):
        await clear.accept(delivery(body(b"x" * 3000), box.id))
    await clear.close()
    store = SqliteStore(sqlite_options(tmp_path / "store", encryption=sealing(tmp_path / "store")))
    await store.open()
    told: asyncio.Queue[str] = asyncio.Queue()

    class Log:
        def info(self, event: object, **fields: object) -> None:
            told.put_nowait(f"{fields['goal']} {fields['changed']}")

    worker = Reencryption(store, Log())  # type: ignore[arg-type]
    operations = EncryptionOperations(store, worker)
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(0)
    await operations.begin({"goal": "encrypt"})
    assert await told.get() == f"encrypt {COUNT}"
    assert (await operations.status({}))["in_the_clear"] == 0
    told_last = await operations.step({})
    assert (told_last["done"], told_last["work"]["changed"]) == (True, COUNT)
    with pytest.raises(OperationRefused, match="stop it first"):
        await operations.wipe({})
    with pytest.raises(OperationRefused, match="no work"):
        await operations.begin({"goal": "burn"})
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await store.begin_work(Goal.ROTATE, trace_line())
    again = asyncio.create_task(Reencryption(store, Log()).run())  # type: ignore[arg-type]
    assert await told.get() == "rotate 0"
    again.cancel()
    await store.close()


def test_no_index_beside_encrypted_messages_unless_it_is_said(site: Site) -> None:
    """The words of messages are not kept in the clear where keys are named."""
    assert load(site.config).store.index
    configure(site, "on", "k1")
    assert not load(site.config).store.index
    configure(site, "off", "k1")
    assert not load(site.config).store.index
    with site.config.open("a", encoding="utf-8") as file:
        file.write('index = "clear"\n')
    settings = load(site.config)
    assert settings.store.index
    assert "11111111" not in repr(replace(settings))
