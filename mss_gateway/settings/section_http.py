"""[http]: the ops door over HTTPS: health, figures, status page, autoconfiguration."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .section import Count, Endpoint, Seconds, Section, Size

Port = Annotated[int, Field(ge=0, le=65535)]
"""A TCP port; 0 takes the one of [listen]."""


class HttpSection(Section):
    """[http]: the ops door over HTTPS: health, figures, status page, autoconfiguration."""

    listen: list[Endpoint] = []
    plain: list[str] = []
    certificate: str = ""
    key: str = ""
    admin_token_file: str = ""
    admin_dns: list[str] = []
    metrics_from: list[str] = []
    url: str = ""
    imap_host: str = ""
    imap_port: Port = 0
    imaps_port: Port = 0
    submission_host: str = ""
    submission_port: Port = 0
    submissions_port: Port = 0
    oauth_authorize: str = ""
    oauth_token: str = ""
    sign_profiles: bool = False
    connections: Count = 200
    connections_per_address: Count = 20
    header_size: Size = 16 * 1024
    body_size: Size = 16 * 1024
    request_timeout: Seconds = 10.0
    idle_timeout: Seconds = 15.0
