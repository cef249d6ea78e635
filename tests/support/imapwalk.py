"""Long random walks of the stateful IMAP machine: what hypothesis' short runs seldom reach, replayed by their seed."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from typing import Any

from tests.support.imapmodel import FLAGS, KINDS, PEOPLE, SLOTS, Ground
from tests.support.imapreading import ITEMS, KEYS, RETURNS
from tests.support.imapvisits import Visits

WEIGHTS = {
    "append": 6,
    "replace": 4,
    "store": 14,
    "copy": 8,
    "expunge": 3,
    "discard": 8,
    "fetch": 14,
    "search": 14,
    "use_saved": 6,
    "noop": 4,
    "status": 3,
    "idle": 6,
    "select": 4,
    "leave": 8,
    "enable": 2,
    "rename": 2,
    "make_anew": 1,
    "restart": 1,
}
"""How often each rule is taken."""

_CHOICES: dict[str, tuple[Any, ...]] = {
    "who": tuple(range(len(PEOPLE))),
    "other": tuple(range(len(PEOPLE))),
    "slot": (*[0] * 3, *range(SLOTS)),
    "place": tuple(range(12)),
    "count": (1, 1, 2, 3),
    "mode": ("+", "+", "-", ""),
    "unchanged": (None, None, "own", "oldest", "zero"),
    "items": ITEMS,
    "key": KEYS,
    "returns": RETURNS,
    "change": ("append", "store", "expunge", "take"),
    "known": (None, False, True),
    "how": ("UNSELECT", "CLOSE", "drop", "drop"),
    "word": ("QRESYNC", "CONDSTORE", "UIDONLY", "IMAP4REV2"),
    "sure": (3,),
    "examine": (False, False, False, True),
}


def _drawn(name: str, dice: random.Random) -> Any:
    """A value for a rule's parameter of this name; those without choices are yes or no."""
    if name == "places":
        return [dice.randrange(12) for _ in range(dice.randint(1, 3))]
    if name == "flags":
        return set(dice.sample(FLAGS, dice.randint(0, 3)))
    return dice.choice(_CHOICES.get(name, (False, True)))


def walk(place: Ground, seed: int, steps: int, machine: type[Visits] = Visits) -> None:
    """Take so many steps; a failure names the seed and the steps before it."""
    dice = random.Random(seed)
    one = machine()
    one.ground = place
    taken: list[str] = []
    try:
        one.start([dice.choice(KINDS) for _ in PEOPLE], (dice.randint(2, 6), dice.randint(0, 3)))
        for _ in range(steps):
            (name,) = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))
            rule: Callable[..., None] = getattr(one, name)
            values = {key: _drawn(key, dice) for key in inspect.signature(rule).parameters}
            taken.append(f"{name}({', '.join(f'{key}={value!r}' for key, value in values.items())})")
            rule(**values)
            one.pictures_are_in_order()
    except BaseException as error:
        kinds = [sorted(client.kind) for client in getattr(one, "clients", [])]
        error.add_note(f"seed {seed}, {kinds}, step {len(taken)}:\n" + "\n".join(taken[-30:]))
        one.close()
        raise
    one.teardown()
