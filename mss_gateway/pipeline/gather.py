"""Gathers all that a decision needs, so that the rules themselves never wait (step 4 of the line)."""

from __future__ import annotations

from dataclasses import dataclass

from mss_gateway.mail.address import Address
from mss_gateway.mail.facts import HeaderFacts
from mss_gateway.ports.directory import AddressBook
from mss_gateway.ports.store import Channels
from mss_gateway.rules.facts import (
    Caller,
    ChannelFacts,
    Facts,
    House,
    MessageFacts,
    Party,
    Place,
)

HOSTED_PLACES = (Place.HOSTED, Place.PATIENT_HOSTED)
PATIENT_PLACES = (Place.PATIENT_HOSTED, Place.PATIENT_REMOTE)


@dataclass(frozen=True, slots=True)
class Gather:
    """Turns addresses and header fields into `Facts`."""

    book: AddressBook
    channels: Channels
    house: House

    async def sender(self, now: float, caller: Caller, sender: Address | None) -> Facts:
        """Facts at MAIL FROM."""
        party = await self.book.party(sender) if sender is not None else None
        return Facts(now, self.house, caller, party)

    async def recipient(self, now: float, caller: Caller, sender: Party | None, recipient: Address) -> Facts:
        """Facts at RCPT TO."""
        party = await self.book.party(recipient)
        channel = await self._channel(sender, party)
        return Facts(now, self.house, caller, sender, party, None, channel)

    async def message(
        self, now: float, caller: Caller, sender: Party | None, recipient: Party, message: MessageFacts
    ) -> Facts:
        """Facts at the end of data, for one recipient. The box is looked up anew: it may have changed."""
        party = await self.book.party(recipient.address)
        channel = await self._channel(sender, party)
        return Facts(now, self.house, caller, sender, party, message, channel)

    def header(self, header: HeaderFacts) -> MessageFacts:
        """The header as the rules see it: Reply-To addresses are placed inside or outside MSSanté."""
        return MessageFacts(
            from_=header.from_,
            from_valid=header.from_valid,
            from_local=any(self.book.place(author.domain) in HOSTED_PLACES for author in header.from_),
            from_listed=frozenset(
                author.domain for author in header.from_ if self.book.place(author.domain) is Place.TRUSTED
            ),
            sender=header.sender,
            reply_to=header.reply_to,
            reply_to_present=header.reply_to_present,
            reply_to_trusted=self._reply_to_trusted(header),
            subject=header.subject,
            mss_mes=header.mss_mes,
            message_id=header.message_id,
            received_count=header.received_count,
            auto_submitted=header.auto_submitted,
            report=header.report,
            disposition_to=header.disposition_to,
            repeated=header.repeated,
        )

    def _reply_to_trusted(self, header: HeaderFacts) -> bool:
        """Present but unreadable is not trusted: nobody can say where the answers would go."""
        if header.reply_to_present and not header.reply_to:
            return False
        return all(self.book.place(to.domain) is not Place.OUTSIDE for to in header.reply_to)

    async def _channel(self, sender: Party | None, recipient: Party) -> ChannelFacts:
        """The channel that a patient's answer must pass (CHN-6); other directions do not depend on it."""
        if sender is None or sender.place not in PATIENT_PLACES or recipient.place in PATIENT_PLACES:
            return ChannelFacts()
        return await self.channels.channel(sender.address.key, recipient.address.key)
