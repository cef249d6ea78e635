-- Annotations of mailboxes (RFC 5464): folder 0 is the server, owner 0 is everybody, else the person whose own it is.
CREATE TABLE annotations (
    folder_id INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (folder_id, owner, name)
) WITHOUT ROWID;

CREATE TRIGGER annotations_gone AFTER DELETE ON folders BEGIN
    DELETE FROM annotations WHERE folder_id = old.id;
END;

-- Who did what with which message of a shared mailbox (BAL-3): one row however often it is done again.
CREATE TABLE activity (
    body_id INTEGER NOT NULL,
    box_id INTEGER NOT NULL,
    person_id INTEGER NOT NULL,
    act TEXT NOT NULL,
    first_at REAL NOT NULL,
    last_at REAL NOT NULL,
    PRIMARY KEY (body_id, box_id, person_id, act)
) WITHOUT ROWID;
CREATE INDEX activity_by_box ON activity (box_id, last_at);

CREATE TRIGGER activity_gone AFTER DELETE ON bodies BEGIN
    DELETE FROM activity WHERE body_id = old.id;
END;
