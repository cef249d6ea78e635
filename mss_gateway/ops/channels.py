"""Channels as ops see and change them (CHN-10): every change with its reason, traced."""

from __future__ import annotations

import time

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_address
from mss_gateway.ports.records import Channel, TraceLine
from mss_gateway.ports.store import Channels
from mss_gateway.rules.facts import ChannelState
from mss_gateway.rules.ins import mask_text

from .operation import NOT_FOUND, USAGE, Arguments, Operation, OperationRefused, Result, text


class ChannelOperations:
    """`channel list|show|close|open`."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "channel.list": self.list,
            "channel.show": self.show,
            "channel.close": self.close,
            "channel.open": self.open,
        }

    async def list(self, arguments: Arguments) -> Result:
        """Channels of a patient, of a BAL, or all; INS masked (INS-7)."""
        patient = key(arguments, "patient") if arguments.get("patient") else None
        bal = key(arguments, "bal") if arguments.get("bal") else None
        found = await self._channels.channels(patient, bal)
        return {"channels": [record(channel) for channel in found]}

    async def show(self, arguments: Arguments) -> Result:
        """One channel."""
        found = await self._channels.channels(key(arguments, "patient"), key(arguments, "bal"))
        if not found:
            raise OperationRefused(
                "These two have never exchanged; the BAL opens the channel by writing",
                "no-channel",
                NOT_FOUND,
            )
        return {"channel": record(found[0])}

    async def close(self, arguments: Arguments) -> Result:
        """Close by hand; the patient can no longer answer."""
        return await self._set(arguments, ChannelState.CLOSED)

    async def open(self, arguments: Arguments) -> Result:
        """Open by hand."""
        return await self._set(arguments, ChannelState.OPEN)

    async def _set(self, arguments: Arguments, state: ChannelState) -> Result:
        reason = text(arguments, "reason")
        trace = TraceLine(
            time.time(),
            f"channel-{state.value}",
            "",
            actor=text(arguments, "actor", "ops"),
            detail={"reason": mask_text(reason)},
        )
        patient, bal = key(arguments, "patient"), key(arguments, "bal")
        return {"channel": record(await self._channels.set_channel(patient, bal, state, "ops", trace))}


def key(arguments: Arguments, name: str) -> str:
    """The address key of an argument; raises `OperationRefused`."""
    try:
        return parse_address(text(arguments, name)).key
    except InvalidValue as invalid:
        raise OperationRefused(f"{name}: {invalid.public}", invalid.reason, USAGE) from None


def record(channel: Channel) -> dict[str, str | int | float]:
    """A channel as JSON, the patient's INS masked."""
    return {
        "patient": mask_text(channel.patient),
        "bal": channel.bal,
        "state": channel.state.value,
        "version": channel.version,
        "cause": channel.cause,
        "changed_at": channel.changed_at,
    }
