-- Ops at work on the outbox (QUE-3) and several nodes at it (QUE-4). A row is marked `held` also while it is under way;
-- `by_hand` is a lease for ending a row, under which nothing is sent. Message-ID (masked) and size are the body's;
-- `shared` tells that the body may have other rows.
ALTER TABLE outbox ADD COLUMN node TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN hold_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN by_hand INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN message_id TEXT;
ALTER TABLE outbox ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN shared INTEGER NOT NULL DEFAULT 1;
UPDATE outbox SET (message_id, size) = (SELECT message_id, size FROM bodies WHERE id = outbox.body_id)
    WHERE body_id IN (SELECT id FROM bodies);

-- Held rows are not in the index that tells what is due: they cost nothing and are never found there. What follows the
-- id in these indexes is there for the figures by domain, which read nothing else.
DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (domain, next_attempt, id, state, queued_at, attempts, size, last_attempt)
    WHERE state <> 'held';
CREATE INDEX outbox_held ON outbox (domain, id, queued_at, attempts, size, last_attempt) WHERE state = 'held';

-- When the first row of each domain is due, NULL when none is: what a claim asks, whatever the number of rows and domains.
CREATE TABLE destinations (domain TEXT NOT NULL PRIMARY KEY, due REAL) WITHOUT ROWID;
CREATE INDEX destinations_due ON destinations (due) WHERE due IS NOT NULL;
INSERT INTO destinations SELECT domain, min(next_attempt) FROM outbox GROUP BY domain;

CREATE TRIGGER outbox_queued AFTER INSERT ON outbox BEGIN
    INSERT INTO destinations VALUES (new.domain, new.next_attempt)
        ON CONFLICT DO UPDATE SET due = excluded.due WHERE due IS NULL OR due > excluded.due;
END;

CREATE TRIGGER outbox_moved AFTER UPDATE OF next_attempt, state ON outbox BEGIN
    UPDATE destinations SET due = d.due
        FROM (SELECT min(next_attempt) AS due FROM outbox WHERE domain = new.domain AND state <> 'held') AS d
        WHERE domain = new.domain AND destinations.due IS NOT d.due;
END;

CREATE TRIGGER outbox_ended AFTER DELETE ON outbox BEGIN
    UPDATE destinations SET due = d.due
        FROM (SELECT min(next_attempt) AS due FROM outbox WHERE domain = old.domain AND state <> 'held') AS d
        WHERE domain = old.domain AND destinations.due IS NOT d.due;
END;
