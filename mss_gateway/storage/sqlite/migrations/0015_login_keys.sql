-- SCRAM keys of a password (RFC 5802), sealed with a key that is not in the store and bound to the argon2id hash.
CREATE TABLE login_keys (
    person_id INTEGER PRIMARY KEY REFERENCES persons (id) ON DELETE CASCADE,
    sealed TEXT NOT NULL
);
