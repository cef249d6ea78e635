-- The first shape of the store. Times are seconds since the epoch; flags are a bit mask (see flags.py).
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE persons (
    id INTEGER PRIMARY KEY,
    login TEXT NOT NULL,
    login_key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    national_id TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE boxes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    address TEXT NOT NULL,
    address_key TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    state TEXT NOT NULL,
    display TEXT NOT NULL,
    structure TEXT NOT NULL,
    responsible TEXT NOT NULL,
    patient_initiated INTEGER NOT NULL,
    fin TEXT NOT NULL,
    password_login INTEGER NOT NULL,
    created_at REAL NOT NULL,
    state_at REAL NOT NULL,
    state_reason TEXT NOT NULL
);

CREATE TABLE members (
    box_id INTEGER NOT NULL REFERENCES boxes (id),
    person_id INTEGER NOT NULL REFERENCES persons (id),
    role TEXT NOT NULL,
    PRIMARY KEY (box_id, person_id)
) WITHOUT ROWID;
CREATE INDEX members_by_person ON members (person_id);

CREATE TABLE certificates (
    dn_key TEXT NOT NULL,
    box_id INTEGER NOT NULL REFERENCES boxes (id),
    dn TEXT NOT NULL,
    PRIMARY KEY (dn_key, box_id)
) WITHOUT ROWID;

-- AUTOINCREMENT: an id, and with it a UIDVALIDITY, is never given twice.
CREATE TABLE folders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    box_id INTEGER NOT NULL REFERENCES boxes (id),
    name TEXT NOT NULL,
    special_use TEXT NOT NULL,
    subscribed INTEGER NOT NULL DEFAULT 1,
    uid_validity INTEGER NOT NULL,
    uid_next INTEGER NOT NULL DEFAULT 1,
    highest_modseq INTEGER NOT NULL DEFAULT 1,
    messages INTEGER NOT NULL DEFAULT 0,
    octets INTEGER NOT NULL DEFAULT 0,
    UNIQUE (box_id, name)
);

-- What IMAP asks on every open lies here; the octets lie apart, so that a metadata FETCH never reads them.
CREATE TABLE bodies (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    refs INTEGER NOT NULL,
    size INTEGER NOT NULL,
    header_size INTEGER NOT NULL,
    digest BLOB NOT NULL,
    envelope BLOB NOT NULL,
    bodystructure BLOB NOT NULL,
    structure BLOB NOT NULL,
    message_id TEXT,
    subject_base TEXT NOT NULL,
    sent_at REAL,
    segment INTEGER,
    segment_offset INTEGER
);

CREATE TABLE body_bytes (id INTEGER PRIMARY KEY, header BLOB NOT NULL, text BLOB);

CREATE TABLE segments (id INTEGER PRIMARY KEY AUTOINCREMENT, octets INTEGER NOT NULL, live INTEGER NOT NULL);

CREATE TABLE messages (
    folder_id INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    body_id INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    keywords TEXT NOT NULL,
    modseq INTEGER NOT NULL,
    created_modseq INTEGER NOT NULL,
    internal_date REAL NOT NULL,
    PRIMARY KEY (folder_id, uid)
) WITHOUT ROWID;
CREATE INDEX messages_by_modseq ON messages (folder_id, modseq);
CREATE INDEX messages_unseen ON messages (folder_id, uid) WHERE flags & 1 = 0;

CREATE TABLE member_seen (
    folder_id INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    person_id INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    PRIMARY KEY (folder_id, uid, person_id)
) WITHOUT ROWID;

CREATE TABLE expunged (
    folder_id INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    PRIMARY KEY (folder_id, modseq, uid)
) WITHOUT ROWID;

CREATE TABLE channels (
    patient TEXT NOT NULL,
    bal TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    cause TEXT NOT NULL,
    changed_at REAL NOT NULL,
    PRIMARY KEY (patient, bal)
) WITHOUT ROWID;
CREATE INDEX channels_by_bal ON channels (bal);

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    body_id INTEGER NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    domain TEXT NOT NULL,
    notify TEXT NOT NULL,
    orcpt TEXT,
    ret TEXT,
    envid TEXT,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    queued_at REAL NOT NULL,
    next_attempt REAL NOT NULL,
    last_error TEXT NOT NULL DEFAULT ''
);
CREATE INDEX outbox_due ON outbox (domain, next_attempt);

CREATE TABLE receipts (
    folder_id INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    notify TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (folder_id, uid)
) WITHOUT ROWID;

CREATE TABLE trace (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    event TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    message_id TEXT,
    box_id INTEGER,
    actor TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX trace_by_message ON trace (message_id) WHERE message_id IS NOT NULL;
