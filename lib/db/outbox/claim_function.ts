import { sql, textOf } from "../client/literal.ts";
import type { Statement } from "../client/literal.ts";
import { isRealAttempt } from "./paced.ts";

/** Name of the database function that claims messages of an outbox. */
export const claimFunction = (ofBroadcasts: boolean): Statement =>
  ofBroadcasts ? sql`claim_broadcast_messages` : sql`claim_urgent_messages`;

/** Arguments of the function: the business, the most messages and their most bytes. */
export type ClaimArguments = { business: Statement; most: Statement; most_bytes: Statement };

/** The query of pending_messages.ts for one outbox. plans.int.test.ts checks its plan. */
export function claimQuery(ofBroadcasts: boolean, { business, most, most_bytes }: ClaimArguments): Statement {
  // Opt-outs concern broadcasts only. Checked for every row, they would make a long outbox look so expensive that the
  // planner takes any plan.
  const urgent = { kind: sql`m.broadcast_id is null`, optedOut: sql`false` };
  const bulk = {
    kind: sql`m.broadcast_id is not null`,
    optedOut: sql`exists (select from opt_outs o where o.business_id = m.business_id and o.chat = m.chat)`,
  };
  const [own, other] = ofBroadcasts ? [bulk, urgent] : [urgent, bulk];
  /** A broadcast's message that waits for its pace alone: urgent messages of its chat take it along before its time. */
  const passable = (message: Statement) =>
    ofBroadcasts
      ? sql`false`
      : sql`(${message}.broadcast_id is not null and ${message}.wait_reason is not distinct from 'pacing'
          and ${isRealAttempt(sql`${message}.next_attempt_at`)})`;
  const before = (one: Statement, other: Statement) =>
    sql`(${one}.queued_at, ${one}.id) < (${other}.queued_at, ${other}.id)`;
  const inTurn = sql`m.next_attempt_at <= now()`;
  const due = ({ kind, optedOut }: typeof own, turn: Statement) => sql`
        m.business_id = ${business} and m.status = 'queued' and ${kind} and ${turn}
        and (m.expires_at is null or m.expires_at > now()) and not ${optedOut}
        and not exists (
          select from messages earlier
          where earlier.business_id = m.business_id and earlier.chat = m.chat and earlier.status = 'queued'
            and ${before(sql`earlier`, sql`m`)} and earlier.next_attempt_at > now()
            and ${isRealAttempt(sql`earlier.next_attempt_at`)}
            and (earlier.expires_at is null or earlier.expires_at > now()) and not ${passable(sql`earlier`)}
        )`;
  return sql`
    with ended as (
      -- In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
      select m.id from messages m
      -- This outbox alone: messages of the other one may be in flight under its own lease.
      where m.business_id = ${business} and m.status = 'queued' and ${own.kind}
        and (m.expires_at <= now() or (m.next_attempt_at <= now() and ${own.optedOut}))
      order by m.id for update of m
    ), expired as (
      update messages m
      set status = 'failed', failed_at = now(), next_attempt_at = null, wait_reason = null,
          error_code = case when expires_at <= now() then 'expired' else 'opted_out' end,
          error_message = case when expires_at <= now() then 'It expired before it could be sent.'
            else 'The recipient opted out.' end
      -- An array, because the planner expects many rows of the list and would scan the table.
      where id = any (array(select id from ended))
      returning id, business_id, chat, 'queued' as before, status, sent_at, delivered_at, read_at, played_at, failed_at,
                error_code, error_message, trace
    ), own as (
      select m.id, m.chat, m.queued_at from messages m where ${due(own, inTurn)} order by m.queued_at, m.id
        limit ${most}
    ), in_front as (
      select m.id, m.queued_at from (select distinct on (chat) * from own order by chat, queued_at desc, id desc) last
      join messages m on m.chat = last.chat and ${before(sql`m`, sql`last`)}
      where ${due(other, sql`(${inTurn} or ${passable(sql`m`)})`)}
    ), chosen as (
      select id, queued_at from own union all select id, queued_at from in_front order by queued_at, id limit ${most}
    ), sized as (
      -- Postgres knows both sizes without reading the values, so a claim does not read all that a later one takes.
      select m.queued_at, m.id, m.chat, m.type, m.text, m.content, m.wa_message_id, m.attempts, m.broadcast_id, m.trace,
             sum(coalesce(octet_length(m.text), 0) + coalesce(pg_column_size(m.content), 0))
               over (order by m.queued_at, m.id) as stored_bytes,
             row_number() over (order by m.queued_at, m.id) as number
        from chosen join messages m on m.id = chosen.id
    ), pending as (
      -- Content is stored compressed. Its JSON is what each process parses.
      select s.*, sum(coalesce(octet_length(s.text), 0) + coalesce(octet_length(s.content::text), 0))
               over (order by s.queued_at, s.id) as bytes
        from sized s where s.stored_bytes <= ${most_bytes} or s.number = 1
    )
    select coalesce((
      select jsonb_agg(to_jsonb(p) - '{queued_at,stored_bytes,bytes,number}'::text[] order by p.queued_at, p.id)
      from pending p where p.bytes <= ${most_bytes} or p.number = 1), '[]') as messages,
           coalesce((select jsonb_agg(to_jsonb(e) order by e.id) from expired e), '[]') as expired`;
}

/**
 * The functions of both outboxes. One plan serves every business; without `plan_cache_mode`, Postgres would plan again
 * for each call where it expects a little from that. Without `enable_seqscan`, a plan that was made for an empty
 * partition, as at the start of a month, would scan it until Postgres analyzes it.
 */
export const claimFunctions: readonly string[] = [false, true].map((ofBroadcasts) => {
  const query = claimQuery(ofBroadcasts, { business: sql`business`, most: sql`most`, most_bytes: sql`most_bytes` });
  return textOf(sql`
    create or replace function ${claimFunction(ofBroadcasts)}(business uuid, most integer, most_bytes integer)
      returns table (messages jsonb, expired jsonb)
      language plpgsql volatile
      set plan_cache_mode = force_generic_plan
      set enable_seqscan = off
    as $$
    #variable_conflict use_column
    begin
      return query ${query};
    end
    $$`);
});
