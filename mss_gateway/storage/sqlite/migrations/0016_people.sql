-- Persons by the number that a card or an identity provider vouches for (BAL-2), and when somebody was last here:
-- person 0 is the software of an APP box, box 0 a person whatever they opened. To the hour, apart from the persons, so
-- that a login changes nothing of the directory.
CREATE INDEX persons_by_national_id ON persons (national_id) WHERE national_id <> '';
CREATE TABLE logins (
    person_id INTEGER NOT NULL,
    box_id INTEGER NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (person_id, box_id)
) WITHOUT ROWID;

-- Hospitals, surgeries, laboratories: what a box's `structure` names (BAL-3). A box may name one that is not here.
CREATE TABLE structures (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    city TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX boxes_by_structure ON boxes (structure) WHERE structure <> '';
CREATE INDEX boxes_by_responsible ON boxes (responsible) WHERE responsible <> '';

-- Who may write from a box without reading it, from when until when (BAL-6).
CREATE TABLE delegations (
    box_id INTEGER NOT NULL REFERENCES boxes (id),
    person_id INTEGER NOT NULL REFERENCES persons (id),
    begins REAL NOT NULL,
    ends REAL NOT NULL,
    reason TEXT NOT NULL,
    granted_by TEXT NOT NULL,
    granted_at REAL NOT NULL,
    PRIMARY KEY (box_id, person_id)
) WITHOUT ROWID;
CREATE INDEX delegations_by_person ON delegations (person_id);

-- The percentage of its quota of which a box has been warned; lowered once it has well gone below (BAL-9).
CREATE TABLE quota_warnings (box_id INTEGER PRIMARY KEY REFERENCES boxes (id), percent INTEGER NOT NULL);

-- What became of the last import of each file of mailboxes, as JSON without a line of it.
CREATE TABLE imports (source TEXT PRIMARY KEY, at REAL NOT NULL, digest TEXT NOT NULL, outcome TEXT NOT NULL) WITHOUT ROWID;
