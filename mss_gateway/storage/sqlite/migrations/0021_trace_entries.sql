-- Lines of the trace are found by entries that follow them in batches: an index on the table costs each commit a page.
DROP INDEX trace_by_message;
DROP INDEX trace_by_transaction;
DROP INDEX trace_by_box;

-- By blocks of ids: a batch changes the pages of the newest block alone, however many Message-IDs there are.
CREATE TABLE trace_messages (
    block INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    line_id INTEGER NOT NULL,
    PRIMARY KEY (block, message_id, line_id)
) WITHOUT ROWID;

CREATE TABLE trace_boxes (
    block INTEGER NOT NULL,
    box_id INTEGER NOT NULL,
    line_id INTEGER NOT NULL,
    PRIMARY KEY (block, box_id, line_id)
) WITHOUT ROWID;

-- Ids of transactions grow with time: what is new lies together by itself.
CREATE TABLE trace_transactions (
    transaction_id TEXT NOT NULL,
    line_id INTEGER NOT NULL,
    PRIMARY KEY (transaction_id, line_id)
) WITHOUT ROWID;

-- The last line that has its entries; the lines behind it are looked at one by one.
CREATE TABLE trace_indexed (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    line_id INTEGER NOT NULL
);
INSERT INTO trace_indexed VALUES (1, 0);
