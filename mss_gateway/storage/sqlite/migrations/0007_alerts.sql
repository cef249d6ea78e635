-- Whom to tell outside that something has arrived (PAT-3): one row for each box, kept for when it was told last.
CREATE TABLE alerts (
    box_id INTEGER PRIMARY KEY REFERENCES boxes (id),
    state TEXT NOT NULL,            -- waiting, told, dropped
    first_at REAL NOT NULL,         -- the first arrival that the patient was not told of
    last_at REAL NOT NULL,          -- the latest arrival
    arrivals INTEGER NOT NULL,      -- grows with each arrival, so that none is lost while a mail is under way
    attempts INTEGER NOT NULL,
    next_attempt REAL NOT NULL,
    told_at REAL NOT NULL           -- 0 when never
);
CREATE INDEX alerts_due ON alerts (next_attempt) WHERE state = 'waiting';
