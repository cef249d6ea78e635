-- Since when a box is in its state: the retention of a closed one counts from there (BAL-5).
ALTER TABLE boxes ADD COLUMN state_at REAL NOT NULL DEFAULT 0;
UPDATE boxes SET state_at = created_at;
