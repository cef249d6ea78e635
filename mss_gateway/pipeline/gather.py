"""Gathers all that a decision needs, so that the rules themselves never wait (step 4 of the line)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mss_gateway.mail.address import Address
from mss_gateway.mail.facts import HeaderFacts
from mss_gateway.ports.access import Rooms
from mss_gateway.ports.directory import NOBODY_LISTED, AddressBook, Listings
from mss_gateway.ports.store import Channels, Identities
from mss_gateway.rules.channel import Mark, answering_bal, mark
from mss_gateway.rules.facts import (
    ArchiveFacts,
    Attachment,
    BoxType,
    Caller,
    ChannelFacts,
    ChannelState,
    Facts,
    House,
    IdentityStatus,
    MessageFacts,
    Party,
    Place,
)
from mss_gateway.rules.recipients import GONE
from mss_gateway.rules.senders import PATIENT_PLACES

HOSTED_PLACES = (Place.HOSTED, Place.PATIENT_HOSTED)
UNASKED = ChannelFacts()
"""Of a channel that the decision does not depend on."""


@dataclass(frozen=True, slots=True)
class Gather:
    """Turns addresses and header fields into `Facts`."""

    book: AddressBook
    channels: Channels
    house: House
    identities: Identities
    rooms: Rooms
    listings: Listings = NOBODY_LISTED

    async def sender(self, now: float, caller: Caller, sender: Address | None) -> Facts:
        """Facts at MAIL FROM."""
        party = await self.listed(await self.book.party(sender)) if sender is not None else None
        return Facts(now, self.house, caller, party)

    async def listed(self, party: Party) -> Party:
        """The party with the national directory's word on it, when it is a professional elsewhere (BAL-1)."""
        if party.place is not Place.TRUSTED:
            return party
        found = await self.listings.listed(party.address.key)
        return party if found is None else replace(party, listed=found)

    async def recipient(self, now: float, caller: Caller, sender: Party | None, recipient: Address) -> Facts:
        """Facts at RCPT TO."""
        party = await self.book.party(recipient)
        channel = await self._channel(sender, party, None)
        identity = await self._identity(party)
        full = party.box is not None and party.box.limited and (await self.rooms.room(party.box.id)).full
        return Facts(now, self.house, caller, sender, party, None, channel, identity, full=full)

    async def message(
        self,
        now: float,
        caller: Caller,
        sender: Party | None,
        recipient: Party,
        message: MessageFacts,
        patients: int = 0,
    ) -> Facts:
        """Facts at the end of data, for one recipient. The box is looked up anew: it may have changed.

        `patients` are those among all recipients of the message.
        """
        party = await self.book.party(recipient.address)
        identity = await self._identity(party)
        facts = Facts(now, self.house, caller, sender, party, message, UNASKED, identity, patients)
        channel = await self._channel(sender, party, facts)
        return facts if channel is UNASKED else replace(facts, channel=channel)

    async def header(
        self,
        header: HeaderFacts,
        size: int = 0,
        attachments: tuple[Attachment, ...] = (),
        archives: tuple[ArchiveFacts, ...] = (),
    ) -> MessageFacts:
        """The header as the rules see it, with what was read beside it; Reply-To is placed in or out of MSSanté."""
        return MessageFacts(
            from_=header.from_,
            from_valid=header.from_valid,
            from_local=any(self.book.place(author.domain) in HOSTED_PLACES for author in header.from_),
            from_listed=frozenset(
                author.domain for author in header.from_ if self.book.place(author.domain) is Place.TRUSTED
            ),
            sender=header.sender,
            sender_present=header.sender_present,
            reply_to=header.reply_to,
            reply_to_present=header.reply_to_present,
            reply_to_trusted=self._reply_to_trusted(header),
            subject=header.subject,
            mss_mes=header.mss_mes,
            message_id=header.message_id,
            received_count=header.received_count,
            auto_submitted=header.auto_submitted,
            auto_generated=header.auto_generated,
            report=header.report,
            disposition_to=header.disposition_to,
            from_name=header.from_name,
            reply_to_unfit=bool(header.reply_to) and await self._reply_to_unfit(header.reply_to),
            repeated=header.repeated,
            size=size,
            attachments=attachments,
            archives=archives,
        )

    def _reply_to_trusted(self, header: HeaderFacts) -> bool:
        """Present but unreadable is not trusted: nobody can say where the answers would go."""
        if header.reply_to_present and not header.reply_to:
            return False
        return all(self.book.place(to.domain) is not Place.OUTSIDE for to in header.reply_to)

    async def _reply_to_unfit(self, addresses: tuple[Address, ...]) -> bool:
        """A Reply-To hosted here that nobody reads: no such mailbox, a closed one, an APP one (BAL-8)."""
        for address in addresses:
            party = await self.book.party(address)
            if party.place is not Place.HOSTED:
                continue
            box = party.box
            if box is None or box.type is BoxType.APP or box.state in GONE:
                return True
        return False

    async def _channel(self, sender: Party | None, recipient: Party, facts: Facts | None) -> ChannelFacts:
        """The channel that a patient's answer must pass (CHN-6), or that an end mark may close (CHN-10).

        An ordinary message to a patient does not depend on it, and pays for no look.
        """
        if sender is None:
            return UNASKED
        if recipient.place not in PATIENT_PLACES:
            if sender.place not in PATIENT_PLACES:
                return UNASKED
            return await self.channels.channel(sender.address.key, recipient.address.key)
        if facts is None or recipient.place is not Place.PATIENT_HOSTED or mark(facts) is Mark.NONE:
            return UNASKED
        found = UNASKED
        for bal in answering_bal(facts) or ():
            found = await self.channels.channel(recipient.address.key, bal)
            if found.state is ChannelState.OPEN:
                break
        return found

    async def _identity(self, recipient: Party) -> IdentityStatus | None:
        """The registry's word on a patient written to, when the setting asks for it (INS-5)."""
        if self.house.require_qualified == "off" or recipient.place not in PATIENT_PLACES:
            return None
        found = await self.identities.identity(recipient.address.local.upper())
        return found.status if found is not None else None
