"""Mutates inputs with a dictionary, keeps those that do something new, and makes failing ones small."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

MOST = 4096  # octets of one input
CORPUS = 2000  # inputs kept
TRIES = 3000  # attempts to make a failing input smaller
SLOW = 2.0  # seconds of CPU that no input of this size may take; counted by `scripts/fuzz` alone


@dataclass(frozen=True)
class Target:
    """Something that reads octets: `run` raises when a promise is broken, and returns what the input did, in short."""

    name: str
    run: Callable[[bytes], Hashable]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...]


@dataclass(frozen=True)
class Failure:
    """An input that broke a promise, already small."""

    target: str
    data: bytes
    error: str


class Mutator:
    """Makes new inputs of old ones."""

    def __init__(self, seed: int, words: tuple[bytes, ...]) -> None:
        self._chance = random.Random(seed)
        self._words = words

    def mutate(self, data: bytes, corpus: list[bytes]) -> bytes:
        """One to four changes, mostly one: what is still understood goes deeper."""
        for _ in range(self._chance.choice((1, 1, 1, 2, 4))):
            data = self._once(data, corpus)
        return data[:MOST]

    def pick(self, corpus: list[bytes]) -> bytes:
        """One of the inputs kept, the newest ones more often."""
        at = max(self._chance.randrange(len(corpus)), self._chance.randrange(len(corpus)))
        return corpus[at]

    def _once(self, data: bytes, corpus: list[bytes]) -> bytes:
        chance = self._chance
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((0, 1, 1, 2, 4, 16, 64)))
        word = chance.choice(self._words)
        match chance.randrange(12):
            case 0 | 1:
                return data[:at] + word + data[at:]
            case 2:
                return data[:at] + word + data[end:]
            case 3:
                return data[:at] + data[end:]
            case 4:
                return data[:at] + data[at:end] * chance.choice((2, 3, 100)) + data[end:]
            case 5:
                return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
            case 6:
                other = chance.choice(corpus)
                return data[:at] + other[chance.randrange(len(other) + 1) :]
            case 7:
                return data[:at] + word * chance.choice((2, 10, 300)) + data[at:]
            case 8 | 9 | 10:
                # Between two words, and in place of one: what such readers take most often.
                gap = data.find(b" ", at) + 1 or len(data)
                after = gap if chance.randrange(2) else data.find(b" ", gap)
                return data[:gap] + word + b" " * (after == gap) + data[after if after >= 0 else len(data) :]
            case _:
                lines = data.splitlines(keepends=True)
                chance.shuffle(lines)
                return b"".join(lines)


def inputs(target: Target, seed: int) -> Iterator[tuple[bytes, Hashable | Exception]]:
    """Run one input after another without end: each with what it did, or how it failed."""
    corpus = list(target.seeds)
    seen: set[Hashable] = set()
    mutator = Mutator(seed, target.words)
    pending = list(target.seeds)
    while True:
        data = pending.pop() if pending else mutator.mutate(mutator.pick(corpus), corpus)
        shape = attempt(target, data)
        yield data, shape
        if not isinstance(shape, Exception) and shape not in seen and len(corpus) < CORPUS:
            seen.add(shape)
            corpus.append(data)


def attempt(target: Target, data: bytes) -> Hashable | Exception:
    """What one input does, or the exception that must not have escaped."""
    try:
        return target.run(data)
    except (Exception, RecursionError) as error:
        return error


def fuzz(
    target: Target, *, seed: int, executions: int = 0, seconds: float = 0.0
) -> tuple[int, list[Failure]]:
    """Run so many inputs, or for so long; the number of runs and one small input for each kind of failure."""
    failures: dict[str, Failure] = {}
    began, count = time.monotonic(), 0
    source = inputs(target, seed)
    while count < executions or (seconds and time.monotonic() - began < seconds):
        before = time.process_time()
        data, shape = next(source)
        count += 1
        if seconds and time.process_time() - before > SLOW:
            failures.setdefault("slow", Failure(target.name, data, "slow"))
        if isinstance(shape, Exception):
            kind = kind_of(shape)
            if kind not in failures:
                failures[kind] = Failure(target.name, minimised(target, data, kind), kind)
    return count, list(failures.values())


def kind_of(error: BaseException) -> str:
    """The type of an exception and where it was raised, by which failures count as one."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
    return f"{type(error).__name__} at {place}"


def minimised(target: Target, data: bytes, kind: str) -> bytes:
    """A smaller input that fails in the same way: pieces are cut out, large ones first."""
    tries, size = TRIES, max(1, len(data) // 2)
    while size and tries > 0:
        at = 0
        while at < len(data) and tries > 0:
            tries -= 1
            smaller = data[:at] + data[at + size :]
            shape = attempt(target, smaller)
            if isinstance(shape, Exception) and kind_of(shape) == kind:
                data = smaller
            else:
                at += size
        size //= 2
    return data
