"""The configuration file as typed sections; every key has its default and its meaning here."""

from __future__ import annotations

import builtins
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .section import Count, Endpoint, Seconds, Section, Size
from .section_audit import AuditSection
from .section_directory import DirectorySection
from .section_encryption import EncryptionSection
from .section_http import HttpSection
from .section_keep import KeepSection
from .section_login import LoginSection
from .section_oidc import OidcSection
from .section_telemetry import TelemetrySection


class GatewaySection(Section):
    """[gateway]: who we are."""

    hostname: str
    realm: Literal["production", "test", "demo"] = "production"
    state: str = "state"
    software_nil: str = ""
    comment: str = ""
    admin: Annotated[str, StringConstraints(pattern=r"^(|(mailto|tel|https):\S+)$")] = ""
    probe: str = ""


class DomainsSection(Section):
    """[domains]: which addresses are ours."""

    hosted: list[str] = Field(min_length=1)
    patient_domain: str = "patient.mssante.fr"
    patient_hosted: bool = False
    patient_service_addresses: list[str] = ["reponse.automatique-test"]


class ListenSection(Section):
    """[listen]: `host:port` lists; an empty list switches a door off."""

    mta: list[Endpoint] = ["0.0.0.0:25"]
    submission: list[Endpoint] = ["0.0.0.0:587"]
    submissions: list[Endpoint] = ["0.0.0.0:465"]
    imap: list[Endpoint] = ["0.0.0.0:143"]
    imaps: list[Endpoint] = ["0.0.0.0:993"]


class TlsSection(Section):
    """[tls]: our own certificates, PEM; the client ports may have their own."""

    certificate: str
    key: str
    client_certificate: str = ""
    client_key: str = ""


class TrustSection(Section):
    """[trust]: authorities, revocation, trusted list."""

    ca: builtins.list[str] = Field(min_length=1)
    crl: builtins.list[str] = []
    crl_urls: builtins.list[str] = []
    crl_every_hours: Annotated[float, Field(gt=0)] = 1.0
    crl_grace_hours: Annotated[float, Field(ge=0)] = 0.0
    ocsp: Literal["off", "try", "require"] = "off"
    ocsp_url: str = ""
    ocsp_timeout: Seconds = 5.0
    list: str = ""
    list_url: str = ""
    list_every_hours: Annotated[float, Field(gt=0)] = 4.0
    list_signer: str
    list_signer_ca: builtins.list[str] = []
    list_alarm_hours: Annotated[float, Field(gt=0)] = 24.0
    list_max_removed: Annotated[float, Field(ge=0, le=1)] = 0.02
    fetch_ca: builtins.list[str] = []
    fetch_timeout: Seconds = 60.0
    locality_equals_state: bool = True
    test_authorities: bool = False


class LimitsSection(Section):
    """[limits]: what no peer can pass. Sizes in octets, times in seconds."""

    message_size: Size = 35 * 1024 * 1024
    append_size: Size = 50 * 1024 * 1024
    annotations: Annotated[int, Field(ge=10)] = 100
    annotation_size: Annotated[int, Field(ge=1024, le=64 * 1024)] = 16 * 1024
    recipients: Count = 1000
    connections: Count = 1000
    connections_per_address: Count = 50
    imap_connections: Count = 10_000
    imap_connections_per_address: Count = 500
    imap_messages: Annotated[int, Field(ge=1000, le=4_294_967_295)] = 1_000_000
    imap_progress: Seconds = 5.0
    command_timeout: Seconds = 300.0
    data_timeout: Seconds = 180.0
    transaction_timeout: Seconds = 1800.0
    idle_timeout: Seconds = 1830.0
    drain_timeout: Seconds = 30.0


class StoreSection(Section):
    """[store]: the embedded store. An empty path is `store` under the state folder."""

    path: str = ""
    inline_limit: Annotated[int, Field(ge=0)] = 32 * 1024
    segment_limit: Size = 64 * 1024 * 1024
    cache_kib: Size = 4 * 1024
    index: bool = True
    index_cap: Size = 256 * 1024


class MailboxesSection(Section):
    """[mailboxes]: what holds for a mailbox where nothing else was set for it. 0 is no limit."""

    quota_bytes: Annotated[int, Field(ge=0)] = 0
    quota_messages: Annotated[int, Field(ge=0)] = 0
    member_rights: Annotated[str, Field(pattern=r"^[lrswipkxtea]*$")] = "lrswipkte"
    quota_warnings: list[Annotated[int, Field(ge=1, le=99)]] = [80, 95]
    import_file: str = ""
    import_every_hours: Annotated[float, Field(gt=0, le=8760)] = 1.0
    import_close: bool = False
    import_close_percent: Annotated[int, Field(ge=0, le=100)] = 10


class RulesSection(Section):
    """[rules]: choices that the rule book leaves to the operator."""

    remote_patient_on_closed: Literal["refuse", "accept"] = "refuse"
    remote_patient_on_never: Literal["refuse", "accept"] = "accept"
    patient_closed: Literal["bounce", "reject"] = "bounce"
    check_header_from: bool = True
    max_received: Count = 30
    purge_after_days: Annotated[int, Field(ge=0)] = 180
    require_qualified: Literal["off", "warn", "enforce"] = "off"
    archive_gate: Literal["off", "warn", "enforce"] = "enforce"
    patient_initiated: list[str] = []
    near_miss_notice: bool = True
    patient_size: Size = 25 * 1024 * 1024
    patient_attachments: list[
        Literal["pdf", "jpeg", "png", "tiff", "txt", "rtf", "doc", "docx", "ihe_xdm"]
    ] = [
        "pdf",
        "jpeg",
        "png",
        "tiff",
        "txt",
        "rtf",
        "doc",
        "ihe_xdm",
    ]


class RelaySection(Section):
    """[relay]: how other operators are reached."""

    port: Annotated[int, Field(ge=1, le=65535)] = 25
    nameservers: builtins.list[Endpoint] = []
    routes: builtins.list[str] = []
    connections_per_domain: Count = 10
    messages_per_connection: Count = 1000
    connect_timeout: Seconds = 30.0
    command_timeout: Seconds = 300.0
    data_timeout: Seconds = 600.0
    keep_idle: Seconds = 30.0


class QueueSection(Section):
    """[queue]: how long and how often a message is tried again."""

    lifetime_hours: Annotated[float, Field(gt=0)] = 120.0
    warn_after_hours: Annotated[float, Field(gt=0)] = 4.0
    retry_first: Seconds = 60.0
    retry_most: Seconds = 3600.0


class AlertsSection(Section):
    """[alerts]: mail to a patient's personal address when something has arrived."""

    mode: Literal["off", "each", "daily"] = "off"
    smarthost: str = ""
    sender: str = ""
    security: Literal["tls", "starttls", "none"] = "starttls"
    ca: str = ""
    login: str = ""
    password_file: str = ""
    digest_hour: Annotated[int, Field(ge=0, le=23)] = 8
    link: str = ""


class LogSection(Section):
    """[log]: to standard error."""

    format: Literal["json", "console"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"


class ControlSection(Section):
    """[control]: the socket of the command line. An empty path is `control.sock` under the state folder."""

    socket: str = ""


class File(Section):
    """The whole file."""

    gateway: GatewaySection
    domains: DomainsSection
    listen: ListenSection = ListenSection()
    tls: TlsSection
    trust: TrustSection
    limits: LimitsSection = LimitsSection()
    store: StoreSection = StoreSection()
    mailboxes: MailboxesSection = MailboxesSection()
    rules: RulesSection = RulesSection()
    relay: RelaySection = RelaySection()
    queue: QueueSection = QueueSection()
    alerts: AlertsSection = AlertsSection()
    log: LogSection = LogSection()
    control: ControlSection = ControlSection()
    login: LoginSection = LoginSection()
    oidc: OidcSection = OidcSection()
    directory: DirectorySection = DirectorySection()
    audit: AuditSection = AuditSection()
    http: HttpSection = HttpSection()
    keep: KeepSection = KeepSection()
    encryption: EncryptionSection = EncryptionSection()
    telemetry: TelemetrySection = TelemetrySection()
