-- When a message came into its folder (RFC 8514), to which conversation it belongs (RFC 8474), and its first words
-- once somebody has asked for them (RFC 8970). NULL in rows that are older: unknown, alone, not yet asked.
ALTER TABLE messages ADD COLUMN save_date REAL;
ALTER TABLE messages ADD COLUMN thread INTEGER;
ALTER TABLE bodies ADD COLUMN preview TEXT;

-- Conversations of answers only, by a number made of the Message-ID: a message that answers nothing needs no row,
-- its conversation has the number of its own Message-ID.
CREATE TABLE threads (
    box_id INTEGER NOT NULL,
    reference INTEGER NOT NULL,
    thread INTEGER NOT NULL,
    PRIMARY KEY (box_id, reference)
) WITHOUT ROWID;
