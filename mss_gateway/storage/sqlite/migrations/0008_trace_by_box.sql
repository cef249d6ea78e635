-- The timeline of a mailbox: without it, one question reads the whole trace while readers wait.
CREATE INDEX trace_by_box ON trace (box_id) WHERE box_id IS NOT NULL;
