-- The rights that were set in the folder a message was removed from (RFC 4314), as a JSON list of person and rights: a
-- folder that is made anew for what comes back is not open to more people than before (BAL-3).
ALTER TABLE removed ADD COLUMN rights TEXT NOT NULL DEFAULT '[]';
