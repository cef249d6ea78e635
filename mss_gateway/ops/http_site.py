"""What stands behind the ops door: paths, their answers, and the headers of every answer (ACC-4, OPS-4)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from email.utils import formatdate
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from mss_gateway.observe.events import Event
from mss_gateway.observe.log import Log

from . import autoconfig_answers as answers
from .autoconfig import domain_of
from .http_auth import Gatekeeper, Verdict
from .http_options import HttpOptions
from .http_ready import Readiness
from .operation import Operation
from .status_page import page

Message = MutableMapping[str, Any]

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Said with every answer; over TLS that of `STRICT` as well."""

CLOSE = {"connection": "close"}
STRICT = ("strict-transport-security", "max-age=31536000")
FIGURES_TYPE = "text/plain; version=0.0.4; charset=utf-8"
XML_TYPE = "application/xml; charset=utf-8"
PROFILE_TYPE = "application/x-apple-aspen-config"
_LABEL = re.compile(r"^[a-z0-9.-]{1,253}$")


@dataclass(frozen=True, slots=True)
class Site:
    """What the answers come from. `alive` tells whether the threads of the store still run."""

    options: HttpOptions
    readiness: Readiness
    gatekeeper: Gatekeeper
    figures: Operation
    status: Operation
    alive: Callable[[], bool]
    log: Log

    def app(self) -> Any:
        """The ASGI application."""
        site = Starlette(routes=[*self._ops(), *self._autoconfig()])
        site.router.redirect_slashes = False  # it would lead to whatever host the client has named
        return _Frame(site, self.options, self.log)

    def _ops(self) -> list[Route]:
        return [
            Route("/", lambda request: RedirectResponse("/status", 303)),
            Route("/health", self._health),
            Route("/ready", self._ready),
            Route("/metrics", self._metrics),
            Route("/status", self._status),
            Route("/status.css", _style),
        ]

    def _autoconfig(self) -> list[Route]:
        return [
            Route("/mail/config-v1.1.xml", self._thunderbird),
            Route("/.well-known/autoconfig/mail/config-v1.1.xml", self._thunderbird),
            Route("/autodiscover/autodiscover.xml", self._outlook, methods=["POST"]),
            Route("/Autodiscover/Autodiscover.xml", self._outlook, methods=["POST"]),
            Route("/autodiscover/autodiscover.json", self._outlook_json),
            Route("/autodiscover/autodiscover.json/v1.0/{address}", self._outlook_json),
            Route("/mobileconfig", self._apple),
        ]

    # --- for machines that watch

    async def _health(self, request: Request) -> Response:
        alive = self.alive()
        return PlainTextResponse("alive\n" if alive else "dead\n", 200 if alive else 503)

    async def _ready(self, request: Request) -> Response:
        reasons = await self.readiness.reasons()
        return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    async def _metrics(self, request: Request) -> Response:
        if not self.gatekeeper.is_neighbour(_host(request)):
            refused = await self._refused(request)
            if refused is not None:
                return refused
        return Response((await self.figures({}))["text"], media_type=FIGURES_TYPE)

    # --- for people

    async def _status(self, request: Request) -> Response:
        refused = await self._refused(request)
        if refused is not None:
            return refused
        return Response(page(await self.status({})), media_type="text/html; charset=utf-8")

    async def _refused(self, request: Request) -> Response | None:
        certificate = request.scope["state"].get("certificate")
        authorization = request.headers.get("authorization", "")
        verdict = await self.gatekeeper.judge(_host(request), certificate, authorization)
        if verdict is Verdict.LET_IN:
            return None
        if verdict is Verdict.CLOSED:
            return PlainTextResponse("Aucun administrateur n'est configuré ([http] admin_token_file).\n", 403)
        if verdict is Verdict.WAIT:
            return PlainTextResponse("Trop d'échecs, réessayez plus tard.\n", 429, {"retry-after": "60"})
        challenge = {"www-authenticate": 'Basic realm="mss-gateway", charset="UTF-8"'}
        return PlainTextResponse("Identification requise.\n", 401, challenge)

    # --- for mail clients

    async def _thunderbird(self, request: Request) -> Response:
        address = request.query_params.get("emailaddress", "")
        if address:
            found = domain_of(self.options, address)
            domain = found[1] if found else ""
        else:
            domain = self._domain_of_host(request.headers.get("host", ""))
        if not domain:
            return _unknown()
        return Response(answers.thunderbird(self.options, domain), media_type=XML_TYPE)

    def _domain_of_host(self, host: str) -> str:
        """Without an address the name of this host tells the domain, where one is asked by autoconfig.<domain>."""
        name = host.partition(":")[0].lower().rstrip(".")
        if not _LABEL.match(name):
            return ""
        domain = name.removeprefix("autoconfig.")
        return domain if domain in self.options.domains else ""

    async def _outlook(self, request: Request) -> Response:
        address = await asyncio.to_thread(answers.outlook_address, await request.body())
        found = domain_of(self.options, address)
        if found is None:
            return Response(answers.outlook_refusal(), 404 if address else 400, media_type=XML_TYPE)
        return Response(answers.outlook(self.options, found[0]), media_type=XML_TYPE)

    async def _outlook_json(self, request: Request) -> Response:
        """Where the XML is (Autodiscover v2); other protocols than this one are not spoken."""
        query = request.query_params
        address = request.path_params.get("address") or query.get("Email", "")
        protocol = query.get("Protocol", "AutodiscoverV1")
        known = domain_of(self.options, address) is not None and self.options.url
        if not known or protocol.lower() != "autodiscoverv1":
            return _unknown()
        url = f"{self.options.url}/autodiscover/autodiscover.xml"
        return JSONResponse({"Protocol": "AutodiscoverV1", "Url": url})

    async def _apple(self, request: Request) -> Response:
        found = domain_of(self.options, request.query_params.get("address", ""))
        if found is None:
            return _unknown()
        profile = answers.apple(self.options, *found)
        if self.options.sign_profiles:
            files = (self.options.certificate, self.options.key)
            profile = await asyncio.to_thread(answers.signed, profile, *files)
        saved_as = {"content-disposition": 'attachment; filename="mssante.mobileconfig"'}
        return Response(profile, media_type=PROFILE_TYPE, headers=saved_as)


def _host(request: Request) -> str | None:
    return request.client.host if request.client else None


def _unknown() -> Response:
    return PlainTextResponse("Not Found", 404)


async def _style(request: Request) -> Response:
    sheet = resources.files("mss_gateway.ops").joinpath("pages/status.css").read_bytes()
    return Response(sheet, media_type="text/css; charset=utf-8", headers={"cache-control": "max-age=3600"})


class _Frame:
    """Around the application: headers of every answer, the size of bodies, and no detail of our own faults."""

    def __init__(self, app: Callable[..., Awaitable[None]], options: HttpOptions, log: Log) -> None:
        self._app = app
        self._most, self._most_header = options.limits.body_size, options.limits.header_size
        self._log = log

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        started = False
        octets = 0

        async def counted() -> Message:
            nonlocal octets
            message: Message = await receive()
            octets += len(message.get("body", b""))
            if octets > self._most:
                raise HTTPException(413, headers=CLOSE)
            return message

        async def framed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = self._headers(scope, message.get("headers", []))
            await send(message)

        try:
            refused = self._unfit(scope)
            await (refused or self._app)(scope, counted, framed)
        except ClientDisconnect:
            return
        except Exception as error:  # our own bug: the client learns nothing of it
            self._log.fault(Event.OPERATION_FAULT, error)
            if not started:
                await PlainTextResponse("Internal Server Error", 500)(scope, receive, framed)

    def _unfit(self, scope: Message) -> Response | None:
        octets = len(scope.get("raw_path", b"")) + len(scope.get("query_string", b""))
        headers = scope.get("headers", [])
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in headers}:
            # RFC 9112 section 6.1: a proxy in front may see the end of the body, and the next request, elsewhere.
            return PlainTextResponse("Bad Request", 400, CLOSE)
        for name, value in headers:
            octets += len(name) + len(value)
            if name == b"content-length" and value.isdigit() and int(value[:20]) > self._most:
                return PlainTextResponse("Content Too Large", 413, CLOSE)
        if octets > self._most_header:
            return PlainTextResponse("Request Header Fields Too Large", 431, CLOSE)
        return None

    def _headers(self, scope: Message, given: Any) -> list[tuple[bytes, bytes]]:
        found = [(bytes(name), bytes(value)) for name, value in given]
        names = {name for name, _ in found}
        found += [
            (name.encode(), text.encode()) for name, text in HEADERS.items() if name.encode() not in names
        ]
        if scope.get("scheme") == "https":
            found.append((STRICT[0].encode(), STRICT[1].encode()))
        found.append((b"date", formatdate(usegmt=True).encode()))
        return found
