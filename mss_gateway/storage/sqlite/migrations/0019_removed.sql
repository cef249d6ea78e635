-- Messages that were taken away and can be brought back for a while (OPS-5): each row holds one reference to its body.
-- `how` is `message` or `folder`; `seen` are the members of a shared box who had read it, as a JSON list.
CREATE TABLE removed (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    box_id INTEGER NOT NULL,
    folder TEXT NOT NULL,
    body_id INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    keywords TEXT NOT NULL,
    internal_date REAL NOT NULL,
    thread INTEGER,
    seen TEXT NOT NULL,
    removed_at REAL NOT NULL,
    removed_by INTEGER NOT NULL,
    how TEXT NOT NULL
);
CREATE INDEX removed_by_box ON removed (box_id, removed_at);
CREATE INDEX removed_by_time ON removed (removed_at);
