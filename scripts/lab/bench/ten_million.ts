import { httpRequest } from "../rig/https_load.ts";
import type { ApiBench } from "./api_bench.ts";
import type { LoadResult } from "../rig/https_load.ts";
import { connectAsOwner } from "../../../lib/db/client/owner.ts";
import type { OwnerConnection } from "../../../lib/db/client/owner.ts";
import { buildIndexes } from "../../../services/indexer/indexer.ts";

/** Rows of one insert. Each takes some seconds, so that an interrupted benchmark ends soon. */
const step = 500_000;
/** The share of rows that belongs to the business whose pages are read. */
const share = 0.3;

/**
 * Fills the messages table without indexes and reads a page. Then builds the indexer's indexes and reads pages from all
 * over the history of a business, of one chat and of all chats.
 */
export async function listTenMillion(
  bench: ApiBench,
  messages: number,
  say: (line: string) => void,
): Promise<{ p99Ms: number; unindexedMs: number; queries: number }> {
  const { owner } = bench;
  const [business] = bench.businesses;
  const others = bench.businesses.slice(1).map(({ id }) => id);
  await dropIndexes(bench);
  // Two connections: one insert keeps one core busy.
  const other = connectAsOwner({ url: bench.databaseUrl, applicationName: "bench" });
  // A connection learns the types of arrays with its first query.
  await other`select 1`;
  let [next, done] = [0, 0];
  const fill = async (connection: OwnerConnection) => {
    for (let from = next; from < messages; from = next) {
      next += step;
      const count = Math.min(step, messages - from);
      await insertMessages(connection, from, count);
      say(`${(done += count)} messages`);
    }
  };
  const insertMessages = async (connection: OwnerConnection, from: number, count: number) => {
    await connection`
      insert into messages (id, business_id, direction, chat, type, text, wa_message_id, status, queued_at)
      select i.id,
             case when random() < ${share} then ${business!.id}::uuid
                  else (${connection.array(others)}::uuid[])[1 + floor(random() * ${others.length})::integer] end,
             'inbound', (5511900000000 + floor(random() * 2000)::bigint)::text || '@s.whatsapp.net',
             'text', ${bench.text},
             '3EB0' || upper(substr(md5(i.id::text), 1, 18)), 'delivered', now()
      from (
        -- Builds UUIDv7s, one millisecond a row, so that ids rise as they do in production.
        select encode(set_byte(set_byte(
                 substring(int8send((extract(epoch from now()) * 1000)::bigint
                   - (${messages}::bigint - ${from} - n)) from 3)
                 || uuid_send(gen_random_uuid()), 6, 112 + (n % 16)), 8, 128 + (n % 64)), 'hex') as hex, n
        from generate_series(1, ${count}) as n
      ) g cross join lateral (select substr(g.hex, 1, 32)::uuid as id) i`;
  };
  await Promise.all([fill(owner), fill(other)]);
  await other.end();
  await owner`analyze messages`;
  const path = `/v1/businesses/${business!.id}/messages`;
  const headers = { authorization: `Bearer ${business!.key}` };
  const cursors = await pageStarts(bench, messages);
  const pages = (n: number) => {
    const cursor = Buffer.from(cursors[n % cursors.length]!).toString("base64url");
    const chat = n % 2 === 0 ? `&chat=${5511900000000 + (n % 2000)}` : "";
    return httpRequest({ method: "GET", path: `${path}?limit=50&cursor=${cursor}${chat}`, headers });
  };
  const bare = await bench.load({ make: pages, connections: 1, seconds: 5 });
  say(`a page without indexes               p50 ${bare.p50Ms.toFixed(1)} ms`);

  const { built } = await buildIndexes({
    url: bench.databaseUrl,
    onStep: (each) => say(`${each.action} ${each.index}`),
  });
  if (built.length === 0) throw new Error("the indexes existed already");
  const before = await bench.queries();
  const paged: LoadResult = await bench.load({ make: pages, connections: 1, seconds: 5 });
  const queries = ((await bench.queries()) - before) / paged.requests;
  say(
    `a page with indexes                  ${Math.round(paged.perSecond)}/s  ` +
      `p50 ${paged.p50Ms.toFixed(1)} ms  p99 ${paged.p99Ms.toFixed(1)} ms`,
  );
  if (paged.failures > 0) throw new Error(`${paged.failures} pages failed: ${JSON.stringify(paged.statuses)}`);
  return { p99Ms: paged.p99Ms, unindexedMs: bare.p50Ms, queries };
}

async function dropIndexes(bench: ApiBench): Promise<void> {
  const { owner } = bench;
  const rows = await owner<{ name: string }[]>`
    select indexrelid::regclass::text as name from pg_index where indrelid = 'messages'::regclass and not indisprimary`;
  for (const { name } of rows) await owner.unsafe(`drop index ${name}`);
}

/** Random ids of the history. */
async function pageStarts(bench: ApiBench, messages: number): Promise<string[]> {
  const rows = await bench.owner<{ id: string }[]>`
    select id from messages tablesample system (${Math.min(100, 100_000 / messages)})
    where business_id = ${bench.businesses[0]!.id} limit 2000`;
  return rows.map(({ id }) => id);
}
