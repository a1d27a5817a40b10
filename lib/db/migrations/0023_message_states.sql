-- What later messages make of a message: edits, deletions and reactions. text and content are the latest; edits holds
-- the earlier texts, and reactions the current one of each person. Both are bounded by lib/messages/state.ts.
alter table messages
  add column edited_at timestamptz(3),
  add column deleted_at timestamptz(3),
  add column edits jsonb,
  add column reactions jsonb;
