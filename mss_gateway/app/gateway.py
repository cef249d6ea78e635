"""Runs one gateway: listeners, control socket, background work, signals, drain."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mss_gateway.imapd.door import ImapDoor
from mss_gateway.imapd.options import ImapdOptions
from mss_gateway.imapd.session import Parts as ImapParts
from mss_gateway.net.gate import GateOptions
from mss_gateway.net.listener import Listener, ListenerOptions, Serve
from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ops.control import Control
from mss_gateway.ops.figures_process import Door, door_gauges
from mss_gateway.ops.health_ports import OpenDoor
from mss_gateway.settings import Settings
from mss_gateway.settings.checks import DOORS, endpoint
from mss_gateway.smtpd.door import SmtpDoor
from mss_gateway.smtpd.options import SmtpOptions

from .crashes import keep_silent
from .http import ops_door
from .loop import settle_memory
from .parts import Parts, parts
from .supervision import Supervision
from .trusting import TrustWatch

if TYPE_CHECKING:
    from mss_gateway.ops.http_door import HttpDoor

BUSY_SMTP = b"421 4.3.2 Too many connections, try again later\r\n"
BUSY_IMAP = b"* BYE too many connections, try again later\r\n"


@dataclass(slots=True)
class Running:
    """A gateway that serves; `ports` gives the bound port of the first address of each door.

    `ops_ports` are those of the ops door, in the order of its places.
    """

    parts: Parts
    ports: dict[str, int]
    stop: asyncio.Event
    ops_ports: tuple[int, ...] = ()


async def run(
    settings: Settings, ready: Callable[[Running], None] | None = None, *, signals: bool = True
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`; raises OSError when an address cannot be had."""
    async with parts(settings) as built, asyncio.TaskGroup() as group:
        asyncio.get_running_loop().set_exception_handler(functools.partial(_unexpected, built.log))
        if signals:  # the process is ours
            keep_silent(built.log)
        stop = asyncio.Event()
        listeners = _listeners(built, group)
        control = Control(settings.control, built.operations, built.log)
        background: list[asyncio.Task[None]] = []
        ops: HttpDoor | None = None
        try:
            ports = {name: port for name, listener in listeners for port in [await listener.open()]}
            built.watch.doors.extend(_open_doors(listeners))
            ops = ops_door(built, ports, group)
            ops_ports = tuple(await ops.open()) if ops is not None else ()
            counted: dict[str, list[Door]] = {"http": [ops]} if ops is not None else {}
            for name, listener in listeners:
                counted.setdefault(name, []).append(listener)
            built.log.figures.add_measure(door_gauges(counted))
            await control.open()
            background = [group.create_task(work()) for work in built.background]
            watch = TrustWatch(built.trust, built.book, built.log)
            supervision = Supervision()
            background += [group.create_task(watch.run()), group.create_task(supervision.run())]
            settle_memory()
            if signals:
                _signals(watch, supervision, stop, group)
            built.log.info(Event.GATEWAY_STARTED, **ports, **({"http": ops_ports[0]} if ops_ports else {}))
            supervision.ready()
            if ready is not None:
                ready(Running(built, ports, stop, ops_ports))
            await stop.wait()
            built.watch.readiness.draining = True
            built.log.info(Event.GATEWAY_STOPPING)
            supervision.stopping()
        finally:
            await control.close()
            deadline = settings.file.limits.drain_timeout
            await asyncio.gather(*(listener.drain(deadline) for _, listener in listeners))
            if ops is not None:  # the last one: until then it tells that the gateway stops
                await ops.drain(deadline)
            for task in background:
                task.cancel()
    built.log.info(Event.GATEWAY_STOPPED)


def _unexpected(log: Log, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody awaits: the loop's own handler would print the exception's text, which may hold anything (AUD-5)."""
    log.fault(Event.GATEWAY_FAULT, context.get("exception") or RuntimeError())


def _listeners(built: Parts, group: asyncio.TaskGroup) -> list[tuple[str, Listener]]:
    settings = built.settings
    doors: dict[str, tuple[Serve, bool, GateOptions, bytes]] = {
        "mta": (_smtp(built, settings.mta, built.trust.mta_context), False, settings.caps, BUSY_SMTP),
        "submission": (
            _smtp(built, settings.submission, built.trust.client_context),
            False,
            settings.caps,
            BUSY_SMTP,
        ),
        "submissions": (
            _smtp(built, settings.submissions, built.trust.client_context),
            True,
            settings.caps,
            BUSY_SMTP,
        ),
        "imap": (_imap(built, settings.imap), False, settings.imap_caps, BUSY_IMAP),
        "imaps": (_imap(built, settings.imaps), True, settings.imap_caps, BUSY_IMAP),
    }
    found = []
    for name in DOORS:
        serve, implicit, caps, busy = doors[name]
        for text in getattr(settings.file.listen, name):
            host, port = endpoint(text)
            options = ListenerOptions(name, host, port, implicit_tls=implicit, busy=busy, caps=caps)
            found.append((name, Listener(options, serve, group)))
    return found


def _open_doors(listeners: list[tuple[str, Listener]]) -> list[OpenDoor]:
    return [
        OpenDoor(
            name,
            listener.options.host,
            listener.port,
            "imap" if name in ("imap", "imaps") else "smtp",
            listener.options.implicit_tls,
        )
        for name, listener in listeners
    ]


def _smtp(built: Parts, options: SmtpOptions, context: Callable[[], ssl.SSLContext]) -> Serve:
    return SmtpDoor(options, built.intake, built.login, context, built.log).serve


def _imap(built: Parts, options: ImapdOptions) -> Serve:
    door_parts = ImapParts(
        built.store,
        built.login,
        built.filing,
        built.hub,
        built.log,
        options,
        built.notes,
        built.settings.audit.reads,
    )
    return ImapDoor(door_parts, built.trust.client_context).serve


def _signals(
    watch: TrustWatch, supervision: Supervision, stop: asyncio.Event, group: asyncio.TaskGroup
) -> None:
    loop = asyncio.get_running_loop()

    async def read_again() -> None:
        supervision.reloading()
        await watch.reload()
        supervision.ready()

    def reload() -> None:
        if not stop.is_set():  # afterwards nobody waits for a task any more
            group.create_task(read_again())

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with contextlib.suppress(ValueError):
        loop.add_signal_handler(signal.SIGHUP, reload)
