"""The ops door of one gateway, built of its parts: certificate, administrators, site (ACC-4, OPS-4)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mss_gateway.base.errors import Refuse
from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log
from mss_gateway.ops.http_auth import Gatekeeper
from mss_gateway.ops.http_options import HttpOptions
from mss_gateway.settings.load import Settings
from mss_gateway.trust.contexts import TlsFiles, client_server_context
from mss_gateway.trust.guard import Trust
from mss_gateway.trust.material import Material
from mss_gateway.trust.refusals import TrustProblem

from .parts import Parts

if TYPE_CHECKING:
    from mss_gateway.ops.http_door import HttpDoor

Stamp = tuple[int, int, int]


class HttpContexts:
    """The door's TLS context, made anew when its certificate or the authorities have changed.

    Clients are asked for a certificate only where one could let somebody in: browsers would ask people in vain.
    """

    def __init__(self, trust: Trust, options: HttpOptions, log: Log) -> None:
        self._trust, self._log = trust, log
        self._files = TlsFiles(options.certificate, options.key)
        self._asks = bool(options.admin_dns)
        self._made_of: tuple[Material, Stamp, Stamp] | None = None
        self._context = self._make()

    def current(self) -> ssl.SSLContext:
        """The context in force; a new certificate that cannot be used leaves the old one in force."""
        try:
            self._context = self._make()
        except (TrustProblem, OSError) as problem:
            if isinstance(problem, TrustProblem):
                self._log.warning(Event.TRUST_REFUSED, reason=problem.reason, sentence=problem.sentence)
        return self._context

    def _make(self) -> ssl.SSLContext:
        made_of = (self._trust.material, _stamp(self._files.certificate), _stamp(self._files.key))
        if made_of == self._made_of:
            return self._context
        self._made_of = made_of  # a pair that does not fit is told once
        # Revocation is left to `Trust.identify`, which every administrator's certificate passes.
        context = client_server_context(self._files, made_of[0].anchors.pem, None)
        context.set_alpn_protocols(["http/1.1"])
        if not self._asks:
            context.verify_mode = ssl.CERT_NONE
        return context


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def ops_door(built: Parts, ports: Mapping[str, int], group: asyncio.TaskGroup) -> HttpDoor | None:
    """The door with all that stands behind it, not open yet; None when it is switched off.

    `ports` are those of the mail doors as they are bound; raises `TrustProblem`.
    """
    options = bound(built.settings, ports)
    if not options.places:
        return None
    from mss_gateway.ops.http_door import HttpDoor  # what is off costs no memory
    from mss_gateway.ops.http_site import Site

    trust = built.trust

    async def dn_of(certificate: bytes) -> str | None:
        await trust.ask_status(certificate)
        peer = trust.identify(certificate)
        return None if isinstance(peer, Refuse) else peer.dn_key

    site = Site(
        options,
        built.watch.readiness,
        Gatekeeper(options, dn_of),
        built.operations["figures"],
        built.operations["status"],
        lambda: built.store.is_alive,
        built.log,
    )
    contexts = HttpContexts(trust, options, built.log)
    return HttpDoor(options, site.app(), contexts.current, trust.explain_handshake, built.log, group)


def bound(settings: Settings, ports: Mapping[str, int]) -> HttpOptions:
    """The options, with the ports that the mail doors really have where nothing else is configured."""
    given, told = settings.file.http, settings.http.services
    found: dict[str, Any] = {
        door: ports[door]
        for door in ("imap", "imaps", "submission", "submissions")
        if door in ports and not getattr(given, f"{door}_port")
    }
    return replace(settings.http, services=replace(told, **found))
