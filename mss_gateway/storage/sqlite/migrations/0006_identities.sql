-- Patient identities with their five strict traits, by INS: 13 characters and the key, in upper case (INS-5).
CREATE TABLE identities (
    ins TEXT NOT NULL PRIMARY KEY,
    oid TEXT NOT NULL,
    family TEXT NOT NULL,
    given TEXT NOT NULL,
    sex TEXT NOT NULL,
    born TEXT NOT NULL,
    place TEXT NOT NULL,
    status TEXT NOT NULL,
    source TEXT NOT NULL,
    updated_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX identities_by_status ON identities (status);
