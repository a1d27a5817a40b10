-- When WhatsApp named the account so, by the clock of the shard that was told. Null: not recorded; learned_at counts.
alter table chat_aliases add column known_at timestamptz(3);
