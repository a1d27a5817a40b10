-- Receipts of the members of a group, for each message that a business sent to it. Kept for weeks, because a receipt may
-- come twice; the counts stay on the message.
create table group_receipts (
  message_id uuid not null,
  member text not null,
  delivered_at timestamptz(3) not null,
  read_at timestamptz(3),
  primary key (message_id, member),
  constraint group_receipts_member_is_bounded check (length(member) <= 64)
);

alter table group_receipts enable row level security;
create policy scope on group_receipts using ((select current_setting('prosaas.scope', true)) = 'platform');
grant select, insert, update, delete on group_receipts to prosaas_app;

-- The members that a group message was sent to, and how many of them received and read it. Null: no group message, or
-- none of them reported yet.
alter table messages add column group_recipients integer;
alter table messages add column group_delivered integer;
alter table messages add column group_read integer;
