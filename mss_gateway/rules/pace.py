"""How many letters may be under way to one destination: few at first, more while it answers and mail waits (QUE-2)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """What one destination has been seen to bear: letters that may be under way at once, and answers since that grew.

    `least` is where it begins, and where it falls back to when nobody answers any more; `most` is never passed.
    """

    least: int
    most: int
    allowed: int
    answers: int = 0

    @classmethod
    def beginning(cls, least: int, most: int) -> Pace:
        """A destination of which nothing is known; at least one letter may always be under way."""
        first = max(1, min(least, most))
        return cls(first, max(1, most), first)

    def answered(self, *, waiting: bool) -> Pace:
        """A letter was answered. While others wait for room there is one room more after as many answers as rooms.

        So a connection more, whose handshake costs as much as many letters, is only opened where those are there.
        """
        if not waiting or self.allowed >= self.most:
            return self
        if self.answers + 1 < self.allowed:
            return Pace(self.least, self.most, self.allowed, self.answers + 1)
        return Pace(self.least, self.most, self.allowed + 1)

    def silent(self) -> Pace:
        """Nobody answers there: it begins anew."""
        return Pace(self.least, self.most, self.least)

    def beside(self, total: int, destinations: int) -> int:
        """Letters that may be under way when so many destinations share `total` rooms: a fair part, `least` always."""
        return min(self.allowed, max(self.least, total // max(1, destinations)))
