-- Leases (QUE-1): a claimed row is due again when its lease runs out, so one index tells all that is to be done.
ALTER TABLE outbox ADD COLUMN lease TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN last_attempt REAL;
ALTER TABLE outbox ADD COLUMN warned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN uncertain INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbox_leased ON outbox (lease) WHERE lease <> '';
