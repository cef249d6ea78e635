-- What a mailbox asks for: closing by itself (CHN-8), the folder of exchanges (IMP-2), receipts (RCP-4), alerts (PAT-3).
ALTER TABLE boxes ADD COLUMN auto_close TEXT NOT NULL DEFAULT '';
ALTER TABLE boxes ADD COLUMN exchange_folder INTEGER NOT NULL DEFAULT 1;
ALTER TABLE boxes ADD COLUMN server_mdn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE boxes ADD COLUMN alert_address TEXT NOT NULL DEFAULT '';

-- The last traffic, for closing after days of silence, and the professional's name as the patient knows it.
ALTER TABLE channels ADD COLUMN active_at REAL NOT NULL DEFAULT 0;
ALTER TABLE channels ADD COLUMN name TEXT NOT NULL DEFAULT '';
UPDATE channels SET active_at = changed_at;
CREATE INDEX channels_open ON channels (active_at) WHERE state = 'open';

-- Which stored messages belong to the exchange of a patient with a BAL.
CREATE TABLE exchanges (
    patient TEXT NOT NULL,
    bal TEXT NOT NULL,
    body_id INTEGER NOT NULL,
    PRIMARY KEY (patient, bal, body_id)
) WITHOUT ROWID;
CREATE INDEX exchanges_by_body ON exchanges (body_id);
CREATE INDEX messages_by_body ON messages (body_id);

-- A receipt is owed once for a message in a mailbox, whichever copy of it is opened there, and outlives the copies.
ALTER TABLE receipts RENAME TO receipts_before;
CREATE TABLE receipts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    box_id INTEGER NOT NULL,
    body_id INTEGER NOT NULL,
    notify TEXT NOT NULL,
    recipient TEXT NOT NULL,
    orcpt TEXT,
    state TEXT NOT NULL,
    opened_at REAL,
    header BLOB,
    UNIQUE (body_id, box_id)
);
CREATE INDEX receipts_opened ON receipts (id) WHERE state = 'opened';
INSERT OR IGNORE INTO receipts (box_id, body_id, notify, recipient, state)
    SELECT f.box_id, m.body_id, r.notify, b.address, 'due' FROM receipts_before AS r
    JOIN messages AS m ON m.folder_id = r.folder_id AND m.uid = r.uid
    JOIN folders AS f ON f.id = r.folder_id JOIN boxes AS b ON b.id = f.box_id WHERE r.state = 'due';
DROP TABLE receipts_before;
