"""Every event that the log may hold, by name; its fields are documented beside it (AUD-4)."""

from __future__ import annotations

from enum import Enum


class Event(Enum):
    """Names of log events. Fields never hold content, subjects, addresses of patients, or secrets (AUD-5)."""

    GATEWAY_STARTED = "gateway-started"  # ports
    GATEWAY_STOPPING = "gateway-stopping"
    GATEWAY_STOPPED = "gateway-stopped"
    CONFIG_RELOADED = "config-reloaded"
    TRUST_LOADED = "trust-loaded"  # domains, generated
    TRUST_REFUSED = "trust-refused"  # reason, sentence
    TRUST_FETCHED = "trust-fetched"  # what, url, octets, changed
    TRUST_FETCH_FAILED = "trust-fetch-failed"  # what, url, reason, sentence
    DIRECTORY_LOADED = "directory-loaded"  # rows, refused, generated, source
    DIRECTORY_REFUSED = "directory-refused"  # source, reason, sentence
    RELAYED = "relayed"  # domain, host, recipients, attempts, seconds (of the attempt)
    RELAY_DEFERRED = "relay-deferred"  # domain, host, reason, recipients, attempts
    RELAY_FAILED = "relay-failed"  # domain, host, reason, recipients, attempts
    DOMAIN_SILENT = "domain-silent"  # domain, reason, failures, seconds (until it is asked again)
    DOMAIN_BACK = "domain-back"  # domain
    PEER_REFUSED = "peer-refused"  # session, direction, peer, reason
    MESSAGE_ACCEPTED = "message-accepted"  # transaction, caller, size, placed, queued
    MESSAGE_REFUSED = "message-refused"  # transaction, peer, reason
    LOGIN = "login"  # peer, mechanism, result
    PROVIDER_SILENT = "provider-silent"  # reason, sentence
    PROVIDER_BACK = "provider-back"  # keys, left_out
    TLS_REFUSED = "tls-refused"  # session, peer, reason, sentence
    GATEWAY_FAULT = "gateway-fault"  # error, where
    LIBRARY_WARNING = "library-warning"  # library, where, error
    SMTP_VIOLATION = "smtp-violation"  # peer, reason
    SMTP_LOST = "smtp-lost"  # peer
    SMTP_FAULT = "smtp-fault"  # peer, error, where
    IMAP_VIOLATION = "imap-violation"  # peer, reason
    IMAP_LOST = "imap-lost"  # peer
    IMAP_FAULT = "imap-fault"  # peer, error, where
    STORE_FAULT = "store-fault"  # error, where, transaction or peer, body
    ENCRYPTION_DONE = "encryption-done"  # goal, changed
    OPERATION_FAULT = "operation-fault"  # error, where
    AUDIT_SEALED = "audit-sealed"  # line, link
    AUDIT_DAMAGED = "audit-damaged"  # findings, line (of the first)
    BACKUP_MADE = "backup-made"  # backup, octets, written
    BACKUP_FAILED = "backup-failed"  # reason, sentence
    OPERATION = "operation"  # name, actor, result
