"""Channels as ops see and change them (CHN-10): every change with its reason, traced."""

from __future__ import annotations

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import Address, parse_address
from mss_gateway.pipeline.closing import Closer
from mss_gateway.ports.records import Channel, TraceLine
from mss_gateway.ports.store import Channels
from mss_gateway.rules.facts import ChannelState
from mss_gateway.rules.ins import mask_text

from .operation import NOT_FOUND, USAGE, Arguments, Operation, OperationRefused, Result, text
from .tracing import traced


class ChannelOperations:
    """`channel list|show|open`."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "channel.list": self.list,
            "channel.show": self.show,
            "channel.open": self.open,
        }

    async def list(self, arguments: Arguments) -> Result:
        """Channels of a patient, of a BAL, or all; INS masked (INS-7)."""
        patient = address(arguments, "patient").key if arguments.get("patient") else None
        bal = address(arguments, "bal").key if arguments.get("bal") else None
        found = await self._channels.channels(patient, bal)
        return {"channels": [record(channel) for channel in found]}

    async def show(self, arguments: Arguments) -> Result:
        """One channel."""
        found = await self._channels.channels(
            address(arguments, "patient").key, address(arguments, "bal").key
        )
        if not found:
            raise OperationRefused(
                "These two have never exchanged; the BAL opens the channel by writing",
                "no-channel",
                NOT_FOUND,
            )
        return {"channel": record(found[0])}

    async def open(self, arguments: Arguments) -> Result:
        """Open by hand."""
        trace = _traced(arguments, ChannelState.OPEN)
        patient, bal = address(arguments, "patient").key, address(arguments, "bal").key
        changed = await self._channels.set_channel(patient, bal, ChannelState.OPEN, "ops", trace)
        return {"channel": record(changed)}


class ClosingOperations:
    """`channel close`, which writes to the patient and so needs the line."""

    def __init__(self, closer: Closer) -> None:
        self._closer = closer

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"channel.close": self.close}

    async def close(self, arguments: Arguments) -> Result:
        """Close by hand; the patient can no longer answer, and is told."""
        trace = _traced(arguments, ChannelState.CLOSED)
        patient, bal = address(arguments, "patient"), address(arguments, "bal")
        return {"channel": record(await self._closer.close_by_hand(patient, bal, trace))}


def _traced(arguments: Arguments, state: ChannelState) -> TraceLine:
    reason = mask_text(text(arguments, "reason"))
    who = {"patient": mask_text(text(arguments, "patient")), "bal": text(arguments, "bal")}
    return traced(f"channel-{state.value}", arguments, None, cause="ops", reason=reason, **who)


def address(arguments: Arguments, name: str) -> Address:
    """The address of an argument; raises `OperationRefused`."""
    try:
        return parse_address(text(arguments, name))
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
        "active_at": channel.active_at,
        "name": channel.name,
    }
