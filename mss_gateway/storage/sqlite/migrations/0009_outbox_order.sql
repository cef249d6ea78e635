-- What one patient is sent arrives in the order of its commits (CHN-9): a row may stand behind an earlier one.
ALTER TABLE outbox ADD COLUMN ordered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN behind INTEGER;
CREATE INDEX outbox_ordered ON outbox (recipient, id) WHERE ordered = 1;
CREATE INDEX outbox_behind ON outbox (behind) WHERE behind IS NOT NULL;
