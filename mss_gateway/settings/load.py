"""From a file to the frozen options of every room, or one sentence that says what is wrong (OPS-6)."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError

from mss_gateway.base.errors import InvalidValue
from mss_gateway.directory.book import BookOptions
from mss_gateway.directory.options import DirectoryOptions
from mss_gateway.identity.oidc_options import OidcOptions
from mss_gateway.imapd.options import ImapdOptions
from mss_gateway.mail.address import parse_address, parse_domain
from mss_gateway.net.gate import GateOptions
from mss_gateway.observe.log import LogOptions
from mss_gateway.ops.box_file import FileOptions
from mss_gateway.ops.http_options import HttpOptions
from mss_gateway.pipeline.alerts import AlertOptions
from mss_gateway.pipeline.auditing import AuditOptions
from mss_gateway.pipeline.outbound import OutboundOptions
from mss_gateway.relay.options import RelayOptions
from mss_gateway.relay.smarthost import SmarthostOptions
from mss_gateway.rules.facts import House, Realm
from mss_gateway.smtpd.options import Role, SmtpOptions
from mss_gateway.storage.sqlite import SqliteOptions
from mss_gateway.storage.sqlite.backup_options import KeepOptions
from mss_gateway.trust.options import TrustOptions

from .annuaire import directory_options
from .auditing import audit_key, audit_options
from .checks import check_endpoints, check_files, check_probe
from .doors import imap_door, smtp_door
from .encrypting import encryption_options, keeps_index
from .explain import ConfigError, sentence
from .keeping import keep_options
from .logins import LoginOptions, login_options
from .provisioning import file_options
from .schema import File
from .sending import alert_options, outbound_options, relay_options, smarthost_options
from .serving_http import http_options
from .telemetry import TelemetryOptions, telemetry_options
from .tokens import oidc_options
from .trusting import trust_options

DAY = 86400.0
PREFIX = "MSS_GATEWAY_"
"""Environment variables `MSS_GATEWAY_<SECTION>_<KEY>` override single values of the file."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of every room. `file` is what was written, paths resolved against its folder."""

    path: Path
    file: File
    state: Path
    control: Path
    house: House
    book: BookOptions
    trust: TrustOptions
    store: SqliteOptions
    log: LogOptions
    caps: GateOptions
    imap_caps: GateOptions
    mta: SmtpOptions
    submission: SmtpOptions
    submissions: SmtpOptions
    imap: ImapdOptions
    imaps: ImapdOptions
    relay: RelayOptions
    outbound: OutboundOptions
    alerts: AlertOptions | None
    smarthost: SmarthostOptions | None
    mailbox_file: FileOptions | None
    directory: DirectoryOptions
    audit: AuditOptions
    oidc: OidcOptions | None
    login: LoginOptions
    http: HttpOptions
    keeping: KeepOptions
    telemetry: TelemetryOptions | None


def load(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read, check and compose; raises `ConfigError` with file, key, value and remedy in one sentence."""
    try:
        with path.open("rb") as opened:
            data = tomllib.load(opened)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file: write one with `mss-gateway init`") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: this is a folder: name the configuration file in it") from None
    except PermissionError:
        raise ConfigError(f"{path}: the file cannot be read: give its group to the gateway's user") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: this is not TOML: {error}") from None
    _override(data, environment if environment is not None else os.environ)
    try:
        file = File.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{path}: {sentence(error, data)}") from None
    return compose(path, file)


def _override(data: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Lists are separated by commas; an empty text is an empty list."""
    for name, value in environment.items():
        section, _, key = name.removeprefix(PREFIX).lower().partition("_")
        if not name.startswith(PREFIX) or not key or section not in File.model_fields:
            continue
        table = data.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = _split(value) if _is_list(section, key) else value


def _is_list(section: str, key: str) -> bool:
    model = File.model_fields[section].annotation
    field = model.model_fields.get(key) if isinstance(model, type) and issubclass(model, BaseModel) else None
    return field is not None and get_origin(field.annotation) is list


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def compose(path: Path, file: File) -> Settings:
    """Check what a type cannot say, and build each room's options; raises `ConfigError`."""
    base = path.resolve().parent

    def at(name: str) -> Path:
        return base / Path(name).expanduser()

    hostname = _domain(path, "gateway.hostname", file.gateway.hostname)
    hosted = frozenset(_domain(path, "domains.hosted", name) for name in file.domains.hosted)
    patient = _domain(path, "domains.patient_domain", file.domains.patient_domain)
    if patient in hosted:
        raise ConfigError(
            f"{path}: domains.hosted names the patient domain {patient}: set domains.patient_hosted = true instead"
        )
    patients = frozenset({patient} if file.domains.patient_hosted else ())
    check_endpoints(path, file)
    check_probe(path, file, hosted)
    trust = trust_options(path, file, at, at(file.gateway.state))
    check_files(path, trust)
    state = at(file.gateway.state)
    limits = file.limits
    limited = bool(file.mailboxes.quota_bytes or file.mailboxes.quota_messages)
    return Settings(
        path=path,
        file=file,
        state=state,
        control=at(file.control.socket) if file.control.socket else state / "control.sock",
        house=House(
            realm=Realm(file.gateway.realm),
            patient_domain=patient,
            patient_service_locals=frozenset(name.lower() for name in file.domains.patient_service_addresses),
            **{
                **file.rules.model_dump(),
                "patient_attachments": frozenset(file.rules.patient_attachments),
                "patient_initiated": frozenset(_address(path, one) for one in file.rules.patient_initiated),
            },
        ),
        book=BookOptions(
            hosted, patient, file.domains.patient_hosted, alerts=file.alerts.mode != "off", limited=limited
        ),
        trust=trust,
        store=SqliteOptions(
            path=at(file.store.path) if file.store.path else state / "store",
            **file.store.model_dump(exclude={"path", "index"}),
            index=keeps_index(file),
            encryption=encryption_options(path, file, at),
            quota_bytes=file.mailboxes.quota_bytes,
            quota_messages=file.mailboxes.quota_messages,
            audit_key=audit_key(path, file, at, state),
            keep_deleted=file.keep.deleted_days * DAY,
            member_rights=frozenset(file.mailboxes.member_rights),
        ),
        log=LogOptions(file.log.format, file.log.level),
        caps=GateOptions(limits.connections, limits.connections_per_address),
        imap_caps=GateOptions(limits.imap_connections, limits.imap_connections_per_address),
        mta=smtp_door(file, hostname, Role.MTA, implicit=False),
        submission=smtp_door(file, hostname, Role.SUBMISSION, implicit=False),
        submissions=smtp_door(file, hostname, Role.SUBMISSION, implicit=True),
        imap=imap_door(file, hostname, implicit=False),
        imaps=imap_door(file, hostname, implicit=True),
        relay=relay_options(path, file, hostname),
        outbound=outbound_options(path, file),
        alerts=alert_options(path, file),
        smarthost=smarthost_options(path, file, hostname, at),
        mailbox_file=file_options(path, file, at),
        directory=directory_options(path, file, at, state),
        audit=audit_options(path, file),
        oidc=oidc_options(path, file, at),
        login=login_options(path, file),
        http=http_options(path, file, at, hostname, hosted | patients, trust),
        keeping=keep_options(path, file, at, state),
        telemetry=telemetry_options(path, file, at),
    )


def _domain(path: Path, key: str, text: str) -> str:
    try:
        return parse_domain(text)
    except InvalidValue as invalid:
        raise ConfigError(
            f"{path}: {key} = {text!r}: {invalid.public}: write a host name such as mx.example.fr"
        ) from None


def _address(path: Path, text: str) -> str:
    try:
        return parse_address(text).key
    except InvalidValue as invalid:
        raise ConfigError(
            f"{path}: rules.patient_initiated holds {text!r}: {invalid.public}: write addresses such as"
            " pharmacie@example.mssante.fr"
        ) from None
