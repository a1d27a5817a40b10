-- The names of chats in the array of business_id, alias, chat and at that were not confirmed within the hour before
-- their time; `n` is the index in the array. Skips names of deleted businesses and those that equal their chat's.
create or replace function unconfirmed_chat_aliases(names jsonb)
  returns table (business_id uuid, alias text, chat text, at timestamptz, n bigint)
  language sql stable
as $$
  select b.id, given.alias, given.chat, date_trunc('milliseconds', given.at), e.n
  from jsonb_array_elements(names) with ordinality as e(value, n)
  cross join lateral (
    select (e.value ->> 'business_id')::uuid as business_id, e.value ->> 'alias' as alias, e.value ->> 'chat' as chat,
           least((e.value ->> 'at')::timestamptz, now()) as at) given
  join businesses b on b.id = given.business_id and b.deleted_at is null
  where given.alias <> given.chat
    and not exists (
      select from chat_aliases known
      where known.business_id = b.id and known.alias = given.alias and known.chat = given.chat
        and coalesce(known.known_at, known.learned_at) > given.at - interval '1 hour')
$$;
