-- For how long a key was made to work; null: until it is revoked. A rotation ends the old key before its time, and the
-- next one still has to know how long that would have been.
alter table api_keys add column lifetime interval;
update api_keys set lifetime = expires_at - created_at where expires_at is not null;
