-- AUD-1: each line of the trace is linked to the one before it; what verification, purge and indicators need beside it.
ALTER TABLE trace ADD COLUMN link BLOB;

-- The last line with its link, proved with the key: a tail that is cut off is missed.
CREATE TABLE audit_head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    line_id INTEGER NOT NULL,
    link BLOB NOT NULL,
    proof BLOB NOT NULL
);

-- From which line on which key links.
CREATE TABLE audit_epochs (
    first_id INTEGER PRIMARY KEY,
    key_id TEXT NOT NULL
);

-- Lines that a purge has taken away, as runs: the link of the last one lets the chain go on.
CREATE TABLE audit_gaps (
    first_id INTEGER PRIMARY KEY,
    last_id INTEGER NOT NULL,
    link BLOB NOT NULL,
    proof BLOB NOT NULL
);

-- AUD-3: daily figures, which outlive the lines they were counted from.
CREATE TABLE audit_days (
    day TEXT NOT NULL,
    figure TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (day, figure)
) WITHOUT ROWID;

-- Who was active and who was written to, once a month each: the BAL by its number, the patient by a keyed mark.
CREATE TABLE audit_seen (
    month TEXT NOT NULL,
    kind TEXT NOT NULL,
    who TEXT NOT NULL,
    PRIMARY KEY (month, kind, who)
) WITHOUT ROWID;

-- How far the figures have been counted.
CREATE TABLE audit_counted (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    line_id INTEGER NOT NULL
);
