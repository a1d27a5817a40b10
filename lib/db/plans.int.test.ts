import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { uuidv7 } from "../core/ids.ts";
import { buildIndexes } from "../../services/indexer/indexer.ts";
import { createBusiness } from "../testing/business.ts";
import { createMigratedDatabase } from "../testing/database.ts";
import type { MigratedDatabase } from "../testing/database.ts";
import { sql, textOf } from "./client/literal.ts";
import type { Statement } from "./client/literal.ts";
import {
  applyReceipts,
  assignInboundIds,
  atomically,
  dueDeliveries,
  dueMedia,
  forPlatform,
  getMessage,
  listMessages,
  listPendingBusinesses,
  pendingMessages,
  recordSendResults,
  releaseOnInbound,
} from "./index.ts";
import type { BusinessScope, Scope } from "./index.ts";

let database: MigratedDatabase;
let scope: BusinessScope;
const webhook = uuidv7();

/**
 * One business with 60,000 messages, 4,000 of them queued, an endpoint with 20,000 deliveries, and 20,000 files of each
 * kind that wait.
 */
beforeAll(async () => {
  database = await createMigratedDatabase();
  scope = await createBusiness(database.db);
  const { owner } = database;
  await owner`
    insert into messages (id, business_id, direction, chat, type, text, wa_message_id, status, next_attempt_at,
                          wait_reason, broadcast_id, queued_at)
    -- Ids of this month: its partition holds all rows.
    select (substr(uuidv7_floor(now())::text, 1, 15) || substr(gen_random_uuid()::text, 16))::uuid,
           ${scope.businessId}, 'outbound', 'chat ' || n % 500, 'text', 'hello', 'wa ' || n,
           case when n % 15 = 0 then 'queued' else 'read' end,
           case when n % 15 = 0 then now() + case when n % 45 = 0 then interval '1 hour' else interval '0' end end,
           case when n % 45 = 0 then 'pacing' end,
           case when n % 2 = 0 then ${uuidv7()}::uuid end, now() - make_interval(secs => 60000 - n)
    from generate_series(1, 60000) n`;
  await owner`
    insert into webhooks (id, business_id, url, events, ordered, max_concurrency, secret)
    values (${webhook}, ${scope.businessId}, 'https://a.example', '{message.sent}', true, 8, 'sealed')`;
  await owner`
    insert into webhook_deliveries (id, webhook_id, business_id, event, chat, payload, status, next_attempt_at,
                                    expires_at)
    select gen_random_uuid(), ${webhook}, ${scope.businessId}, 'message.sent', 'chat ' || n % 500, '{}',
           case when n % 20 = 0 then 'pending' else 'delivered' end, case when n % 20 = 0 then now() end,
           now() + interval '1 day'
    from generate_series(1, 20000) n`;
  await owner`
    insert into media_fetches (message_id, business_id, kind, pointer)
    select gen_random_uuid(), ${scope.businessId}, 'image', '{}' from generate_series(1, 20000)`;
  await owner`
    insert into media (id, business_id, status, storage_key, sha256, size, mime, describe_attempts, created_at)
    select gen_random_uuid(), ${scope.businessId}, 'stored', 'media/' || n, encode(sha256(n::text::bytea), 'hex'), 1,
           'image/png', n % 3, now() - interval '1 hour'
    from generate_series(1, 20000) n`;
  await owner`
    insert into media_uploads (media_id, kind, business_id, next_attempt_at)
    select id, 'image', business_id, now() from media`;
  await buildIndexes({ url: database.ownerUrl });
  await owner`analyze`;
});
afterAll(() => database.close());

type Node = {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Name"?: string;
  "Index Cond"?: string;
  Plans?: Node[];
};

/**
 * The plans of the last statement that a verb sends, those inside database functions included: the indexes that they
 * use and the tables that they scan whole.
 */
async function planOf<S extends Scope>(on: S, verb: (scope: S) => Promise<unknown>) {
  const statements: Statement[] = [];
  await verb({
    ...on,
    ask: (statement: Statement) => {
      statements.push(statement);
      return on.ask(statement);
    },
  });
  const nodes = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(nodes)];
  const all = (await plansOf(on, statements.at(-1)!)).flatMap(nodes);
  return {
    indexes: new Set(all.flatMap((node) => node["Index Name"] ?? [])),
    conditions: all.flatMap((node) => node["Index Cond"] ?? []),
    scanned: all.flatMap((node) => (node["Node Type"] === "Seq Scan" ? (node["Relation Name"] ?? []) : [])),
  };
}

/** Runs a statement as the services do, under auto_explain, and rolls it back. */
async function plansOf(on: Scope, statement: Statement): Promise<Node[]> {
  const notices: string[] = [];
  const explained = postgres(database.ownerUrl, { max: 1, onnotice: ({ message }) => notices.push(message ?? "") });
  const scope = "businessId" in on ? `prosaas.business_id = '${String(on.businessId)}'` : "prosaas.scope = 'platform'";
  try {
    await explained.unsafe(`
      load 'auto_explain'; set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on;
      set auto_explain.log_format = json; set role prosaas_app; set client_min_messages = log;
      begin; set local ${scope}; ${textOf(statement)}; rollback`);
  } finally {
    await explained.end();
  }
  return notices
    .map((notice) => /plan:\n(\{.*\})/s.exec(notice)?.[1])
    .filter((plan) => plan !== undefined)
    .map((plan) => (JSON.parse(plan) as { Plan: Node }).Plan);
}

/** The default partition is empty. */
const bigTables = /^(messages_\d|webhook_deliveries)/;
const expectPlan = ({ indexes, scanned }: Awaited<ReturnType<typeof planOf>>, ...wanted: string[]) => {
  expect(scanned.filter((table) => bigTables.test(table))).toEqual([]);
  for (const name of wanted)
    expect(
      [...indexes].filter((index) => index.endsWith(name)),
      name,
    ).not.toEqual([]);
};

describe("plans of the hot statements", () => {
  test("pendingMessages reads the urgent outbox by its index", async () => {
    const plan = await planOf(scope, (on) => pendingMessages(on, { limit: 50 }));
    expectPlan(plan, "_outbox", "_outbox_by_chat");
  });

  test("pendingMessages reads the broadcast outbox by its index", async () => {
    const plan = await planOf(scope, (on) => pendingMessages(on, { limit: 50, ofBroadcasts: true }));
    expectPlan(plan, "_outbox_of_broadcasts", "_outbox_by_chat");
  });

  test("releaseOnInbound finds paced messages by their chat", async () => {
    const chats = [{ business_id: scope.businessId, chat: "chat of no paced message" }];
    expectPlan(await planOf(forPlatform(database.db), (on) => releaseOnInbound(on, chats)), "_waiting_for_pace");
  });

  test("applyReceipts finds messages by WhatsApp's ids", async () => {
    const receipts = Array.from({ length: 50 }, (_, n) => ({
      business_id: scope.businessId,
      wa_message_id: `wa ${n}`,
      status: "read" as const,
      at: new Date(),
    }));
    const plan = await planOf(forPlatform(database.db), (on) => applyReceipts(on, receipts));
    expectPlan(plan, "_by_wa_message_id_and_id");
  });

  test("assignInboundIds looks up 28 days of a WhatsApp id", async () => {
    const message = { business_id: scope.businessId, wa_message_id: "wa 7", chat: "chat 7", sender: "chat 7" };
    const inbound = [{ ...message, from_me: false, at: new Date(), type: "text", text: "hello" }];
    const plan = await planOf(forPlatform(database.db), (on) => assignInboundIds(on, inbound));
    expectPlan(plan, "_by_wa_message_id_and_id");
    expect(plan.conditions.filter((one) => /wa_message_id.* AND \(id >= .* AND \(id </.test(one))).not.toEqual([]);
  });

  test("getMessage reads one row by its index", async () => {
    const [{ id }] = await scope.ask<[{ id: string }]>(sql`select id from messages limit 1`);
    const reads = 10;
    const [before, after] = await atomically(scope, async (inside) => {
      // Of this connection alone.
      const scans = async () => {
        const [row] = await inside.ask<[{ whole: number; index: number }]>(sql`
          select sum(seq_scan)::integer as whole, sum(idx_scan)::integer as index
          from pg_stat_xact_user_tables where relname like ${"messages\\_%"}`);
        return row;
      };
      const earlier = await scans();
      for (let n = 0; n < reads; n++) expect(await getMessage(inside, id)).toMatchObject({ id });
      return [earlier, await scans()];
    });
    expect(after).toEqual({ whole: before.whole, index: before.index + reads });
  });

  test.each(["chat 7", undefined])("listMessages reads a page by its index (chat: %p)", async (chat) => {
    const plan = await planOf(scope, (on) => listMessages(on, { chat, before: uuidv7(), limit: 50 }));
    expectPlan(plan, chat === undefined ? "_by_business" : "_by_chat");
    if (chat !== undefined) expect(plan.conditions.filter((one) => /chat = .* AND \(id </.test(one))).not.toEqual([]);
  });

  test("recordSendResults finds messages by id", async () => {
    const outcomes = Array.from({ length: 50 }, () => ({ id: uuidv7(), status: "sent" as const, at: new Date() }));
    expectPlan(await planOf(scope, (on) => recordSendResults(on, outcomes)), "_pkey");
  });

  test("listPendingBusinesses reads the outbox alone", async () => {
    const plan = await planOf(forPlatform(database.db), (on) => listPendingBusinesses(on, { limit: 100 }));
    expectPlan(plan, "_outbox");
  });

  test("dueMedia reads a few rows of each business", async () => {
    const statements: Statement[] = [];
    const platform = forPlatform(database.db);
    const ask = async (statement: Statement) => {
      statements.push(statement);
      return platform.ask(statement);
    };
    const { fetches, uploads, undescribed } = await dueMedia({ ...platform, ask } as typeof platform, 100);
    for (const due of [fetches, uploads, undescribed]) expect(due).toEqual([scope.businessId]);
    const [row] = await platform.ask<[{ "QUERY PLAN": [{ Plan: { "Shared Hit Blocks": number } }] }]>(
      sql`explain (analyze, buffers, format json) ${statements.at(-1)!}`,
    );
    expect(row["QUERY PLAN"][0].Plan["Shared Hit Blocks"]).toBeLessThan(100);
  });

  test.each([true, false])("dueDeliveries reads pending deliveries alone (ordered: %p)", async (ordered) => {
    const plan = await planOf(forPlatform(database.db), (on) => dueDeliveries(on, { id: webhook, ordered }, 100));
    expectPlan(plan);
  });
});
