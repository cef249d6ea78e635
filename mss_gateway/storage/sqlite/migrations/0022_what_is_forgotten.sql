-- Old expunges, of which the UIDs alone stay, as runs: `forgotten` is the mod-sequence up to which expunges may lie
-- there (RFC 7162 section 5). There are never more runs than there are messages and remembered expunges between them.
ALTER TABLE folders ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
CREATE TABLE gone (
    folder_id INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (folder_id, first)
) WITHOUT ROWID;

-- How far a folder was at a time, now and then: how old an expunge is follows from it.
CREATE TABLE expunge_marks (
    folder_id INTEGER NOT NULL,
    at REAL NOT NULL,
    modseq INTEGER NOT NULL,
    PRIMARY KEY (folder_id, at)
) WITHOUT ROWID;

CREATE TRIGGER expunges_gone AFTER DELETE ON folders BEGIN
    DELETE FROM gone WHERE folder_id = old.id;
    DELETE FROM expunge_marks WHERE folder_id = old.id;
END;

-- Which texts lie in a segment: they move when most of it is dead.
CREATE INDEX bodies_by_segment ON bodies (segment) WHERE segment IS NOT NULL;
