-- STATUS and EXPUNGE ask for the few messages marked \Deleted, SELECT for the keywords: neither reads the folder.
CREATE INDEX messages_deleted ON messages (folder_id, uid) WHERE flags & 8;
CREATE INDEX messages_keywords ON messages (folder_id, keywords) WHERE keywords <> '';
