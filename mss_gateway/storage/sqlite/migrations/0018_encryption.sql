-- Bodies encrypted at rest (OPS-5). A body with a row in body_keys is sealed with a key of its own, which lies here
-- wrapped by a master key; a body without one lies in the clear. `wrapped` binds the body's id.
CREATE TABLE master_keys (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, proof BLOB NOT NULL, since REAL NOT NULL);
CREATE TABLE body_keys (body_id INTEGER PRIMARY KEY, key_id INTEGER NOT NULL, wrapped BLOB NOT NULL);
-- The header that a receipt quotes outlives its body, so the body's key is kept with it.
ALTER TABLE receipts ADD COLUMN key_id INTEGER;
ALTER TABLE receipts ADD COLUMN wrapped BLOB;
-- What is being re-encrypted: bodies up to `until`, of which those up to `reached` are done, under the master key `key_id`.
CREATE TABLE encryption_work (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    goal TEXT NOT NULL,
    key_id INTEGER,
    reached INTEGER NOT NULL,
    until INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    started_at REAL NOT NULL
);
