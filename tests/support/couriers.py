"""A courier without a network: every fate at will, and a record of what it carried."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mss_gateway.mail.envelope import Recipient
from mss_gateway.ports.relay import Fate, Letter, Outcome

Answer = Callable[[Letter], Awaitable[tuple[Outcome, ...]]]
"""What becomes of a letter."""


def outcome(
    recipient: Recipient,
    fate: Fate = Fate.SENT,
    reason: str = "",
    *,
    status: str = "",
    relays_dsn: bool = False,
) -> Outcome:
    """An outcome with a slug and a status that fit the fate."""
    slug, usual, text = {
        Fate.SENT: ("sent", "2.0.0", "250 2.0.0 taken"),
        Fate.TRY_LATER: ("peer-temporary", "4.3.2", "451 4.3.2 later"),
        Fate.FAILED: ("peer-refused", "5.1.1", "550 5.1.1 no such mailbox"),
        Fate.UNCERTAIN: ("lost-after-data", "4.4.2", ""),
    }[fate]
    return Outcome(
        recipient, fate, reason or slug, text, status or usual, "mx.ailleurs.example", relays_dsn=relays_dsn
    )


def always(fate: Fate, reason: str = "", *, status: str = "", relays_dsn: bool = False) -> Answer:
    """The same fate for every recipient."""

    async def answer(letter: Letter) -> tuple[Outcome, ...]:
        return tuple(
            outcome(recipient, fate, reason, status=status, relays_dsn=relays_dsn)
            for recipient in letter.recipients
        )

    return answer


async def hangs(letter: Letter) -> tuple[Outcome, ...]:
    """Never comes to an end by itself."""
    await asyncio.Event().wait()
    raise AssertionError(letter.domain)


class FakeCourier:
    """Implements `ports.relay.Courier`; domains without an answer of their own take everything."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.usual: Answer = always(Fate.SENT)
        self.carried: list[tuple[Letter, bytes]] = []
        self.under_way: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.closed = False

    def to(self, domain: str, answer: Answer) -> None:
        """From now on letters to this domain end so."""
        self.answers[domain] = answer

    @property
    def reached(self) -> list[str]:
        """Recipients of all attempts, in order."""
        return [str(one.address) for letter, _ in self.carried for one in letter.recipients]

    async def deliver(self, letter: Letter) -> tuple[Outcome, ...]:
        """One attempt: reads the whole text, then answers."""
        domain = letter.domain
        self.under_way[domain] = self.under_way.get(domain, 0) + 1
        self.most[domain] = max(self.most.get(domain, 0), self.under_way[domain])
        try:
            text = await letter.read_text(0, letter.text_size)
            self.carried.append((letter, letter.header + text))
            return await self.answers.get(domain, self.usual)(letter)
        finally:
            self.under_way[domain] -= 1

    async def close(self) -> None:
        """Nothing to end."""
        self.closed = True
