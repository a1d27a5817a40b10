-- An operator has asked for the entry to be replayed; the worker removes the entry or the request.
alter table journal_quarantine add column replay_requested_at timestamptz(3);
grant update on journal_quarantine to prosaas_app;
