"""Connections kept for the next letter: a fresh mutual TLS handshake costs as much as twenty letters (QUE-2)."""

from __future__ import annotations

import asyncio
from collections import deque

from .connection import Connection
from .options import RelayOptions
from .places import Host
from .problems import RelayProblem

_TICK = 0.002  # seconds: the loop's timers are no finer


class _Lane:
    """What is known of one host: a slot for each connection allowed, and the idle ones."""

    __slots__ = ("idle", "slots", "timer", "users")

    def __init__(self, slots: int) -> None:
        self.slots = asyncio.Semaphore(slots)
        self.idle: deque[tuple[Connection, float]] = deque()  # with the moment at which each is ended
        self.timer: asyncio.TimerHandle | None = None  # at that of the first one, or before it
        self.users = 0


class Pool:
    """Gives out connections by host, at most `RelayLimits.per_host` at a time; a host that waits delays no other."""

    def __init__(self, options: RelayOptions) -> None:
        self._options = options
        self._lanes: dict[Host, _Lane] = {}
        self._idle = 0
        self._closed = False

    @property
    def idle(self) -> int:
        """How many connections are kept now."""
        return self._idle

    @property
    def busy(self) -> int:
        """How many letters hold a slot or wait for one."""
        return sum(lane.users for lane in self._lanes.values())

    def has_idle(self, host: Host) -> bool:
        """True when a connection to this host waits for work."""
        lane = self._lanes.get(host)
        return lane is not None and bool(lane.idle)

    async def enter(self, host: Host) -> None:
        """Wait for a slot; `leave` must follow. Raises `RelayProblem` when none becomes free in time."""
        lane = self._lanes.get(host)
        if lane is None:
            lane = self._lanes[host] = _Lane(self._options.limits.per_host)
        lane.users += 1
        try:
            if lane.slots.locked():
                async with asyncio.timeout(self._options.deadlines.slot):
                    await lane.slots.acquire()
            else:
                await lane.slots.acquire()
        except BaseException as error:
            self._forget_user(host, lane)
            if isinstance(error, TimeoutError):
                text = f"all connections to {host} are busy"
                raise RelayProblem("timeout", text, "4.4.5", host=host.name, next_host=False) from None
            raise

    def leave(self, host: Host) -> None:
        """Give the slot back."""
        lane = self._lanes[host]
        lane.slots.release()
        self._forget_user(host, lane)

    def take(self, host: Host) -> Connection | None:
        """The idle connection used last, None when there is none that can still be used."""
        lane = self._lanes[host]
        while lane.idle:
            connection, _ = lane.idle.pop()
            self._idle -= 1
            if connection.usable:
                return connection
            connection.part()
        return None

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next letter, or end it."""
        if self._closed or not connection.usable:
            connection.part()
            return
        lane = self._lanes[connection.host]
        loop = asyncio.get_running_loop()
        due = loop.time() + self._options.limits.idle
        lane.idle.append((connection, due))
        if lane.timer is None:
            lane.timer = loop.call_at(due, self._expire, connection.host, lane)
        self._idle += 1
        if self._idle > self._options.limits.idle_in_all:
            self._drop_oldest()

    def close(self) -> None:
        """End what is kept; what is in use ends when it is given back."""
        self._closed = True
        for host, lane in list(self._lanes.items()):
            while lane.idle:
                self._end(lane)
            self._forget(host, lane)

    def _end(self, lane: _Lane) -> None:
        connection, _ = lane.idle.popleft()
        self._idle -= 1
        connection.part()

    def _drop_oldest(self) -> None:
        host, lane = min(
            ((host, lane) for host, lane in self._lanes.items() if lane.idle),
            key=lambda pair: pair[1].idle[0][1],
        )
        self._end(lane)
        self._forget(host, lane)

    def _expire(self, host: Host, lane: _Lane) -> None:
        """End those whose time is over. One timer serves all, moved when it fires: most are taken again long before."""
        lane.timer = None
        loop = asyncio.get_running_loop()
        while lane.idle and lane.idle[0][1] <= loop.time() + _TICK:
            self._end(lane)
        if lane.idle:
            lane.timer = loop.call_at(lane.idle[0][1], self._expire, host, lane)
        self._forget(host, lane)

    def _forget_user(self, host: Host, lane: _Lane) -> None:
        lane.users -= 1
        self._forget(host, lane)

    def _forget(self, host: Host, lane: _Lane) -> None:
        if not lane.users and not lane.idle and self._lanes.get(host) is lane:
            del self._lanes[host]
            if lane.timer is not None:
                lane.timer.cancel()
                lane.timer = None
