"""Where mail can be brought: hosts, and what a domain says of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Host:
    """One host that takes mail: a name or an address, and its port."""

    name: str
    port: int

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Exchanger:
    """A host of a domain; the lower its preference, the sooner it is asked."""

    preference: int
    host: Host
