-- Records other names of chats' accounts, in the order of the array of business_id, alias, chat and at. Returns the
-- businesses whose chats have to be merged. Skips names of deleted businesses.
--
-- A known name that is confirmed counts from its confirmation, because a name from before it may still arrive. Every
-- message confirms its chat's name: confirmations within an hour of the recorded one are skipped, and write nothing.
--
-- `at` is when WhatsApp named the account so. An older name never replaces a newer one: streams of journals are read
-- side by side, and quarantined entries are replayed after weeks. Names without a time are answers that WhatsApp gave
-- just now. A shard's clock that is ahead counts as the present.
--
-- An alias leads to one chat, and a chat is no alias: a number that WhatsApp names as an account's own stops to be
-- another spelling. When a person takes a new number, the LID leads to the new chat; messages under the former number
-- stay there, because that number may become another person's. Opt-outs follow the person.
create or replace function learn_chat_aliases(names jsonb) returns setof uuid
  language plpgsql volatile
as $$
declare
  item record;
  names_of integer;
  later text;
begin
  -- One transaction at a time for each business, in one order of businesses: names change several rows, in any order.
  for names_of in
    select distinct hashtext(given.business_id::text) from unconfirmed_chat_aliases(names) given
    order by 1
  loop
    perform pg_advisory_xact_lock(hashtext('prosaas.names'), names_of);
  end loop;

  -- Read again: the transactions that this one waited for have recorded names.
  for item in
    select given.business_id, given.alias, given.chat, given.at from unconfirmed_chat_aliases(names) given
    order by given.n
  loop
    update chat_aliases known
    set known_at = greatest(coalesce(known.known_at, known.learned_at), item.at)
    where known.business_id = item.business_id and known.alias = item.alias and known.chat = item.chat;
    continue when found;

    if exists (
      select from chat_aliases newer
      where newer.business_id = item.business_id and newer.alias = item.alias
        and coalesce(newer.known_at, newer.learned_at) > item.at)
    then
      continue;
    end if;
    -- The chat of this name may be known as another name of an account since.
    select newer.chat into later from chat_aliases newer
    where newer.business_id = item.business_id and newer.alias = item.chat
      and coalesce(newer.known_at, newer.learned_at) > item.at;
    if found then
      item.chat := later;
      continue when item.chat = item.alias;
    end if;
    delete from chat_aliases where business_id = item.business_id and alias = item.chat;

    insert into opt_outs (business_id, chat, created_at, checked_at)
    select o.business_id, item.chat, min(o.created_at), now() from opt_outs o
    where o.business_id = item.business_id
      and o.chat in (
        item.alias,
        (select former.chat from chat_aliases former
         where former.business_id = item.business_id and former.alias = item.alias))
    group by o.business_id
    on conflict do nothing;
    delete from opt_outs where business_id = item.business_id and chat = item.alias;

    update opt_outs set checked_at = now()
    where business_id = item.business_id and chat = item.chat and checked_at is null;

    insert into chat_aliases (business_id, alias, chat, known_at)
    values (item.business_id, item.alias, item.chat, item.at)
    on conflict (business_id, alias) do update
      set chat = excluded.chat, known_at = excluded.known_at, learned_at = now(), rekeyed = 0, merged_at = null,
          settled = false;
    update chat_aliases set chat = item.chat, learned_at = now(), merged_at = null, settled = false
    where business_id = item.business_id and chat = item.alias;
    return next item.business_id;
  end loop;
end $$;
