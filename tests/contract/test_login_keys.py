"""SCRAM keys beside the password: they come and go with it (ACC-2)."""

import pytest

from mss_gateway.ports.store import Store
from tests.support.store import trace_line

pytestmark = pytest.mark.req("ACC-2")


async def test_keys_are_stored_with_the_password(store: Store) -> None:
    """The record is taken apart; the hash that is read holds no keys."""
    anne = await store.add_person("anne", "Anne", "", "hash\nsealed", trace_line())
    assert anne.password_hash == "hash"
    found = await store.person("anne")
    assert found is not None
    assert found.password_hash == "hash"
    assert await store.login_keys(anne.id) == "sealed"
    assert await store.login_keys(0) == ""
    await store.set_password(anne.id, "other\nnew keys", trace_line())
    assert await store.login_keys(anne.id) == "new keys"
    await store.set_password(anne.id, "third", trace_line())
    assert await store.login_keys(anne.id) == ""


async def test_late_keys_are_of_the_password_that_is_there(store: Store) -> None:
    """Made after a login: the password may have been replaced meanwhile; nobody's session ends."""
    changed = 0

    def directory_changed() -> None:
        nonlocal changed
        changed += 1

    anne = await store.add_person("anne", "Anne", "", "hash", trace_line())
    store.on_directory_change(directory_changed)
    await store.put_login_keys(anne.id, "hash", "sealed")
    assert await store.login_keys(anne.id) == "sealed"
    await store.put_login_keys(anne.id, "gone", "stale")
    await store.put_login_keys(anne.id + 1, "hash", "nobody")
    assert await store.login_keys(anne.id) == "sealed"
    assert await store.login_keys(anne.id + 1) == ""
    assert changed == 0
