-- What came from another IMAP server, so that taking over goes on where it stopped and brings nothing twice (IMP-4).
-- `source` is a digest of account and server; `own_uid` is the UID here at that time.
CREATE TABLE takeovers (
    box_id INTEGER NOT NULL,
    source TEXT NOT NULL,
    folder TEXT NOT NULL,
    uid_validity INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    folder_id INTEGER NOT NULL,
    own_uid INTEGER NOT NULL,
    PRIMARY KEY (box_id, source, folder, uid_validity, uid)
) WITHOUT ROWID;
