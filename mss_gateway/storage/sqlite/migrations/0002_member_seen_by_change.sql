-- A session of a member asks what changed for this member since a mod-sequence: without it, each answer reads the folder.
CREATE INDEX member_seen_by_change ON member_seen (folder_id, person_id, modseq);
-- The timeline of a message takes the lines of its transactions along.
CREATE INDEX trace_by_transaction ON trace (transaction_id) WHERE transaction_id <> '';
