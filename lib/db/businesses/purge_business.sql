-- Removes rows of a business that was deleted `days` ago or earlier, at most `batch` of each table, and the business
-- itself once nothing else is left. Returns the number of rows removed; 0: nothing is left to remove now. Runs as the
-- owner of the tables, so that services need no right to delete messages of businesses that exist.
--
-- Files are not rows: media rows are deleted once their content has left the store (services/workers/media), and a
-- recording that is stored keeps its row, and with it the business.
create or replace function purge_business(business uuid, days integer, batch integer) returns integer
  language plpgsql security definer
  set search_path = public, pg_temp
as $$
declare
  removed integer := 0;
  count integer;
  name text;
  ids uuid[];
begin
  perform from businesses
  where id = business and deleted_at < now() - make_interval(days => greatest(days, 0)) for no key update skip locked;
  if not found then
    return 0;
  end if;

  -- Through the indexes that these tables have: by endpoint, by broadcast, by business.
  delete from webhook_deliveries where id in (
    select d.id from webhooks w join webhook_deliveries d on d.webhook_id = w.id
    where w.business_id = business limit batch for update of d skip locked);
  get diagnostics count = row_count;
  removed := removed + count;
  delete from broadcast_recipients where ctid = any (array(
    select r.ctid from broadcasts b join broadcast_recipients r on r.broadcast_id = b.id
    where b.business_id = business limit batch));
  get diagnostics count = row_count;
  removed := removed + count;
  -- In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
  ids := array(select id from messages where business_id = business order by id limit batch for update);
  delete from group_receipts where message_id = any (ids);
  delete from messages where id = any (ids);
  get diagnostics count = row_count;
  removed := removed + count;
  delete from call_recordings where ctid = any (array(
    select ctid from call_recordings where business_id = business and storage_key is null limit batch));
  get diagnostics count = row_count;
  removed := removed + count;
  foreach name in array array[
    'media_fetches', 'media_uploads', 'opt_outs', 'chat_aliases',
    'calls', 'idempotency_keys', 'moves', 'journal_quarantine']
  loop
    execute format(
      'delete from %1$I where ctid = any (array(select ctid from %1$I where business_id = $1 limit $2))', name)
    using business, batch;
    get diagnostics count = row_count;
    removed := removed + count;
  end loop;
  if removed > 0 then
    return removed;
  end if;

  if exists (select from media where business_id = business)
    or exists (select from call_recordings where business_id = business) then
    return 0;
  end if;
  -- Foreign keys cascade to the rest, which is small: endpoints, broadcasts, keys, settings.
  delete from businesses where id = business;
  return 1;
end $$;

revoke execute on function purge_business(uuid, integer, integer) from public;
grant execute on function purge_business(uuid, integer, integer) to prosaas_app;
