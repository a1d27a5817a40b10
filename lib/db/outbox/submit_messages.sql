-- Inserts many outbound messages of many businesses in one exchange and one commit, each with its idempotency key and
-- in the scope of its own business: the function runs as its caller, so row-level security holds. Takes a JSON array
-- and returns one row for each element, with the element's index in the first column:
--   accepted          inserted
--   replayed          the same request used the key before: status and response are its answer
--   mismatched        another request used the key before
--   unpaired          the mirror of sessions knows no paired WhatsApp of the business; nothing was inserted
--   unknown_business
create or replace function submit_messages(batch jsonb)
  returns table (place integer, outcome text, whatsapp_shard integer, status integer, response jsonb)
  language plpgsql volatile
as $$
declare
  item record;
  business record;
  stored record;
  present uuid;
  paired boolean;
begin
  for item in
    select r.* from jsonb_to_recordset(batch) as r(
      n integer, business_id uuid, id uuid, chat text, type text, text text, content jsonb, wa_message_id text,
      expires_at timestamptz, trace text,
      known_paired boolean, key text, fingerprint text, status integer, response jsonb, key_expires_at timestamptz)
    -- All batches lock the keys in the same order, so that two of them never deadlock.
    order by r.business_id, r.key, r.n
  loop
    if present is distinct from item.business_id then
      present := item.business_id;
      perform set_config('prosaas.business_id', item.business_id::text, true);
      select b.id, b.whatsapp_shard into business from businesses b
      where b.id = item.business_id and b.deleted_at is null;
      paired := business.id is not null
        and exists (select from whatsapp_sessions s where s.business_id = item.business_id and s.paired);
    end if;
    place := item.n;
    whatsapp_shard := business.whatsapp_shard;
    status := null;
    response := null;
    outcome := case
      when business.id is null then 'unknown_business'
      when paired or item.known_paired then 'accepted'
      else 'unpaired'
    end;

    if item.key is not null and business.id is not null then
      if outcome = 'accepted' then
        insert into idempotency_keys as k (business_id, key, fingerprint, status, response, expires_at)
        values (item.business_id, item.key, item.fingerprint, item.status, item.response, item.key_expires_at)
        on conflict on constraint idempotency_keys_pkey do update
          set fingerprint = excluded.fingerprint, status = excluded.status, response = excluded.response,
              created_at = now(), expires_at = excluded.expires_at
          where k.expires_at <= now();
      end if;
      if outcome = 'unpaired' or not found then
        -- A separate statement, so that it sees the row that another transaction committed while the insert waited.
        select k.fingerprint, k.status, k.response into stored from idempotency_keys k
        where k.business_id = item.business_id and k.key = item.key and k.expires_at > now();
        if found then
          if stored.fingerprint = item.fingerprint then
            outcome := 'replayed';
            status := stored.status;
            response := stored.response;
          else
            outcome := 'mismatched';
          end if;
        end if;
      end if;
    end if;

    if outcome = 'accepted' then
      insert into messages (id, business_id, direction, chat, type, text, content, wa_message_id, status,
                            next_attempt_at, expires_at, trace)
      values (item.id, item.business_id, 'outbound',
              -- The chat of the account that has this name.
              coalesce((select a.chat from chat_aliases a
                        where a.business_id = item.business_id and a.alias = item.chat), item.chat),
              item.type, item.text, item.content,
              item.wa_message_id, 'queued',
              -- dueNow: the column rounds to milliseconds, and a worker may claim the message before the next one.
              date_trunc('milliseconds', now()), item.expires_at, item.trace);
    end if;
    return next;
  end loop;
end $$;
