-- Rights by folder and person, where any were set (RFC 4314, BAL-3); the rest follows from what somebody is in the box.
CREATE TABLE folder_rights (
    folder_id INTEGER NOT NULL,
    person_id INTEGER NOT NULL,
    rights TEXT NOT NULL,
    PRIMARY KEY (folder_id, person_id)
) WITHOUT ROWID;
CREATE INDEX folder_rights_by_person ON folder_rights (person_id);

-- Subscriptions are a person's own and name a folder that may be gone (RFC 9051 section 6.3.7). A folder of which
-- somebody has said nothing is subscribed; person 0 is software that came with its certificate.
CREATE TABLE subscriptions (
    box_id INTEGER NOT NULL,
    person_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    wanted INTEGER NOT NULL,
    PRIMARY KEY (box_id, person_id, name)
) WITHOUT ROWID;
INSERT INTO subscriptions SELECT f.box_id, m.person_id, f.name, 0 FROM folders AS f
    JOIN members AS m ON m.box_id = f.box_id WHERE NOT f.subscribed
    UNION SELECT box_id, 0, name, 0 FROM folders WHERE NOT subscribed;
ALTER TABLE folders DROP COLUMN subscribed;

CREATE TRIGGER folder_rights_gone AFTER DELETE ON folders BEGIN
    DELETE FROM folder_rights WHERE folder_id = old.id;
    DELETE FROM subscriptions WHERE box_id = old.box_id AND name = old.name AND NOT wanted;
END;

CREATE TRIGGER member_gone AFTER DELETE ON members BEGIN
    DELETE FROM folder_rights WHERE person_id = old.person_id
        AND folder_id IN (SELECT id FROM folders WHERE box_id = old.box_id);
    DELETE FROM subscriptions WHERE box_id = old.box_id AND person_id = old.person_id;
END;

-- What a box may hold, in octets and messages; 0 is the setting's default (BAL-9).
ALTER TABLE boxes ADD COLUMN quota_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE boxes ADD COLUMN quota_messages INTEGER NOT NULL DEFAULT 0;
