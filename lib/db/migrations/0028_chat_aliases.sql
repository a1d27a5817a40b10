-- Other names of a chat's account: its LID, and other spellings of its number. `chat` is the JID under which the rows of
-- the account are written. No chat is itself an alias (learn_chat_aliases).
create table chat_aliases (
  business_id uuid not null references businesses (id) on delete cascade,
  alias text not null check (char_length(alias) between 1 and 64),
  chat text not null check (char_length(chat) between 1 and 64),
  learned_at timestamptz(3) not null default now(),
  -- Messages that were written under the alias, and are now under the chat.
  rekeyed integer not null default 0,
  -- When the messages known then were under the chat.
  merged_at timestamptz(3),
  -- No transaction that started before the alias was learned can still write under it.
  settled boolean not null default false,
  primary key (business_id, alias),
  constraint chat_aliases_differ check (alias <> chat)
);

alter table chat_aliases enable row level security;
create policy scope on chat_aliases using (
  case
    when (select current_setting('prosaas.scope', true)) = 'platform' then true
    else business_id = (select nullif(current_setting('prosaas.business_id', true), '')::uuid)
  end);
grant select, insert, update, delete on chat_aliases to prosaas_app;

-- When WhatsApp was asked for the account of an opt-out's number. Null: it may be another spelling of a recipient's.
alter table opt_outs add column checked_at timestamptz(3);
grant update on opt_outs to prosaas_app;

-- A recipient who is in the broadcast under another name too. Not validated: the earlier constraint held for all rows.
alter table broadcast_recipients drop constraint broadcast_recipients_status_check;
alter table broadcast_recipients add constraint broadcast_recipients_status_is_known
  check (status in ('pending', 'released', 'opted_out', 'duplicate')) not valid;
