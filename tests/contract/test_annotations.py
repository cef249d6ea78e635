"""Annotations of folders and of the server (RFC 5464): whose they are, how deep, and what becomes of them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.ports.annotations import SERVER, TooManyAnnotations
from mss_gateway.ports.mailboxes import NoSuchFolder
from mss_gateway.ports.store import Store
from tests.support.properties import FOR_EACH_EXAMPLE
from tests.support.store import add_box, folder_named, inbox

pytestmark = pytest.mark.req("IMP-1")

OURS, OWN = "/shared/comment", "/private/comment"
ANNE, BRUNO, MANY = 1, 2, 50


async def test_shared_ones_are_everybodys_and_private_ones_ones_own(store: Store) -> None:
    """Two people, one folder: the same comment for both, and a note that only its writer sees."""
    folder = await inbox(store, (await add_box(store)).id)
    await store.annotate(folder, ANNE, {OURS: b"accueil", OWN: b"de Anne"}, MANY)
    await store.annotate(folder, BRUNO, {OWN: b"de Bruno"}, MANY)
    assert await store.annotations(folder, ANNE, [OURS, OWN]) == {OURS: b"accueil", OWN: b"de Anne"}
    assert await store.annotations(folder, BRUNO, [OURS, OWN]) == {OURS: b"accueil", OWN: b"de Bruno"}
    assert await store.annotations(folder, ANNE, ["/private"], None) == {OWN: b"de Anne"}


async def test_what_changed_is_told_and_none_removes(store: Store) -> None:
    """The same value again is no change; None takes the entry away, and what was not there stays so."""
    folder = await inbox(store, (await add_box(store)).id)
    assert await store.annotate(folder, ANNE, {OURS: b"1", OWN: b""}, MANY) == {OURS, OWN}
    assert await store.annotate(folder, ANNE, {OURS: b"1", OWN: b"2"}, MANY) == {OWN}
    assert await store.annotate(folder, ANNE, {OURS: None, "/shared/x": None}, MANY) == {OURS}
    assert await store.annotations(folder, ANNE, ["/shared", "/private"], None) == {OWN: b"2"}


async def test_depth(store: Store) -> None:
    """0 is the entry alone, 1 its children too, None all below; a longer name with the same start is not below."""
    folder = await inbox(store, (await add_box(store)).id)
    names = ["/private/a", "/private/a/b", "/private/a/b/c", "/private/ab", "/private/a0"]
    await store.annotate(folder, ANNE, dict.fromkeys(names, b"x"), MANY)
    for depth, expected in ((0, 1), (1, 2), (None, 3)):
        assert list(await store.annotations(folder, ANNE, ["/private/a"], depth)) == names[:expected]


async def test_too_many_changes_nothing(store: Store) -> None:
    """The limit holds for everybody's and for each person's own; replacing and removing is always possible."""
    folder = await inbox(store, (await add_box(store)).id)
    await store.annotate(folder, ANNE, {"/shared/a": b"", "/shared/b": b"", "/private/a": b""}, 2)
    with pytest.raises(TooManyAnnotations):
        await store.annotate(folder, BRUNO, {"/private/a": b"", "/shared/a": b"neu", "/shared/c": b""}, 2)
    assert await store.annotations(folder, BRUNO, ["/shared", "/private"], None) == {
        "/shared/a": b"",
        "/shared/b": b"",
    }
    await store.annotate(folder, BRUNO, {"/shared/a": b"neu", "/private/a": b"", "/private/b": b""}, 2)
    await store.annotate(folder, BRUNO, {"/shared/a": None, "/shared/c": b""}, 2)


async def test_a_rename_keeps_them_and_delete_takes_them(store: Store) -> None:
    """A folder made anew under an old name inherits nothing (RFC 5464 section 4.1)."""
    box = await add_box(store)
    folder = await store.create_folder(box.id, "Suivi")
    await store.annotate(folder.id, ANNE, {OURS: b"1", OWN: b"2"}, MANY)
    await store.rename_folder(folder.id, "Suivi 2026")
    assert await store.annotations(folder.id, ANNE, [OURS, OWN]) == {OURS: b"1", OWN: b"2"}
    await store.delete_folder(folder.id)
    again = await store.create_folder(box.id, "Suivi 2026")
    assert await store.annotations(folder.id, ANNE, [OURS, OWN]) == {}
    assert await store.annotations(again.id, ANNE, [OURS, OWN]) == {}
    with pytest.raises(NoSuchFolder):
        await store.annotate(folder.id, ANNE, {OURS: b"1"}, MANY)


async def test_inbox_keeps_them_and_gives_them_to_its_new_name(store: Store) -> None:
    """RFC 5464 section 4.1: copied, for everybody who has some."""
    box = await add_box(store)
    folder = await inbox(store, box.id)
    await store.annotate(folder, ANNE, {OURS: b"1", OWN: b"2"}, MANY)
    await store.annotate(folder, BRUNO, {OWN: b"3"}, MANY)
    await store.rename_folder(folder, "Avant")
    target = (await folder_named(store, box.id, "Avant")).id
    for place in (folder, target):
        assert await store.annotations(place, ANNE, [OURS, OWN]) == {OURS: b"1", OWN: b"2"}
        assert await store.annotations(place, BRUNO, [OURS, OWN]) == {OURS: b"1", OWN: b"3"}


async def test_the_server_has_its_own(store: Store) -> None:
    """They belong to no folder, and stay apart from those of every folder."""
    folder = await inbox(store, (await add_box(store)).id)
    await store.annotate(SERVER, ANNE, {"/private/vendor/x/y": b"\0\xff"}, MANY)
    assert await store.annotations(SERVER, ANNE, ["/private"], None) == {"/private/vendor/x/y": b"\0\xff"}
    assert await store.annotations(SERVER, BRUNO, ["/private"], None) == {}
    assert await store.annotations(folder, ANNE, ["/private"], None) == {}


_numbers = itertools.count()
_NAMES = st.builds(
    lambda scope, levels: "/" + "/".join((scope, *levels)),
    st.sampled_from(["private", "shared"]),
    st.lists(st.sampled_from(["a", "b", "a-", "a0", "a!"]), min_size=1, max_size=3),
)
_STEPS = st.lists(
    st.tuples(
        st.sampled_from([ANNE, BRUNO]),
        st.dictionaries(_NAMES, st.none() | st.binary(max_size=3), min_size=1, max_size=4),
    ),
    max_size=6,
)


@settings(max_examples=25, suppress_health_check=FOR_EACH_EXAMPLE, deadline=None)
@given(_STEPS, _NAMES, st.sampled_from([0, 1, None]))
async def test_against_a_dictionary(
    store: Store, steps: list[tuple[int, dict[str, bytes | None]]], top: str, depth: int | None
) -> None:
    """Any history reads back as a dictionary by owner would, at any depth."""
    box = await store.box("accueil@hopital.example") or await add_box(store)
    folder = (await store.create_folder(box.id, f"essai {next(_numbers)}")).id
    model: dict[tuple[int, str], bytes] = {}
    for person, changes in steps:
        await store.annotate(folder, person, changes, MANY)
        for name, value in changes.items():
            key = (person if name.startswith("/private/") else 0, name)
            if value is None:
                model.pop(key, None)
            else:
                model[key] = value
    for person in (ANNE, BRUNO):
        expected = {
            name: value
            for (owner, name), value in model.items()
            if owner in (0, person)
            and (name == top or name.startswith(f"{top}/"))
            and (depth is None or name.count("/") - top.count("/") <= depth)
        }
        assert await store.annotations(folder, person, [top], depth) == expected
