import { describe, expect, test } from "bun:test";
import type postgres from "postgres";
import { uuidv7 } from "../core/ids.ts";
import { besideOrderedLocks, lockRow } from "../testing/lock_order.ts";
import { useBusiness } from "../testing/use_business.ts";
import {
  applyGroupReceipts,
  applyReceipts,
  changeStates,
  completeInbound,
  deleteBusiness,
  deleteWebhook,
  dueDeliveries,
  failCancelled,
  failDuplicates,
  finishUpload,
  forgetOld,
  holdBroadcast,
  insertWebhook,
  learnNames,
  markReceiptsOverdue,
  noteRead,
  pendingMessages,
  purgeBusiness,
  recordDeliveries,
  recordSendResults,
  rekeyMessages,
  releaseBroadcast,
  releaseOnInbound,
  releasePaced,
  replayDeliveries,
  resolveChat,
  settleAlias,
  unmergedAliases,
} from "./index.ts";
import type { Message, WebhookDelivery } from "./index.ts";

const { database, platform, scope } = useBusiness();

type Ids = [first: string, last: string];
type Order = "ascending" | "descending";
const chat = "5511987654321@s.whatsapp.net";
const lid = "777@lid";
const at = new Date();
/** Later than the end of the last test. */
const inAnHour = new Date(at.getTime() + 3_600_000);
const group = { group_recipients: 3 };
const broadcast = uuidv7();

/** Inserts two rows in this order of their ids, which is the order in which a scan finds them. */
async function insertTwo(order: Order, insert: (id: string) => Promise<unknown>): Promise<Ids> {
  const ids = [uuidv7(), uuidv7()].toSorted() as Ids;
  for (const id of order === "ascending" ? ids : ids.toReversed()) await insert(id);
  return ids;
}
const insertMessages = (order: Order, changes: Partial<Message>) =>
  insertTwo(order, (id) => {
    const row = { id, business_id: scope().businessId, chat, direction: "outbound", type: "text", text: "hello" };
    const isQueued = (changes.status ?? "queued") === "queued";
    const state = { wa_message_id: id, status: "queued", next_attempt_at: isQueued ? at : null };
    return database().owner`insert into messages ${database().owner({ ...row, ...state, ...changes } as never)}`;
  });
async function insertDeliveries(order: Order, changes: Partial<WebhookDelivery>) {
  const webhook = uuidv7();
  const endpoint = { url: "https://a.example", description: null, ordered: false, max_concurrency: 8 };
  await insertWebhook(scope(), { ...endpoint, id: webhook, events: ["message.sent"], secret: "sealed" }, 10);
  const ids = await insertTwo(order, (id) => {
    const row = { id, webhook_id: webhook, business_id: scope().businessId, event: "message.sent", payload: "{}" };
    const next_attempt_at = (changes.status ?? "pending") === "pending" ? at : null;
    const state = { next_attempt_at, expires_at: new Date(Date.now() + 60_000) };
    const values = database().owner({ ...row, ...state, ...changes } as never);
    return database().owner`insert into webhook_deliveries ${values}`;
  });
  return { webhook, ids };
}
const insertBroadcast = async (status: string) => {
  await database().owner`delete from broadcasts where id = ${broadcast}`;
  await database().owner`
    insert into broadcasts (id, business_id, name, text, status, time_zone, per_minute, ended_at)
    values (${broadcast}, ${scope().businessId}, 'news', 'hello', ${status}, 'UTC', 60,
            case when ${status} = 'cancelled' then now() end)`;
};

const lockRows = (table: string, [first, last]: Ids) => [lockRow(table, first), lockRow(table, last)] as const;

type Verb = { with: Partial<Message>; prepare?: () => Promise<unknown>; run: (ids: Ids) => Promise<unknown> };
const sentTo = (ids: Ids, member?: string) =>
  ids.toReversed().map((id) => {
    const receipt = { business_id: scope().businessId, wa_message_id: id, status: "delivered" as const, at };
    return { ...receipt, member: member ?? "", recipients: 3 };
  });
const content = { type: "reaction", emoji: "👍", target: { wa_message_id: "x", from_me: true } } as const;
const media = uuidv7();

const onMessages: Record<string, Verb> = {
  pendingMessages: {
    with: { expires_at: new Date(0) },
    run: () => pendingMessages(scope(), { limit: 10 }),
  },
  recordSendResults: {
    with: {},
    run: (ids) =>
      recordSendResults(
        scope(),
        ids.toReversed().map((id) => ({ id, status: "sent" as const, at })),
      ),
  },
  applyReceipts: { with: { status: "sent" }, run: (ids) => applyReceipts(platform(), sentTo(ids)) },
  applyGroupReceipts: { with: { status: "sent" }, run: (ids) => applyGroupReceipts(platform(), sentTo(ids, lid)) },
  changeStates: {
    with: { status: "sent" },
    run: (ids) =>
      changeStates(
        platform(),
        ids.toReversed().map((id) => {
          const target = { ...content.target, id };
          const change = { business_id: scope().businessId, target_id: id, sender: chat, at };
          return { ...change, content: { ...content, target } };
        }),
      ),
  },
  completeInbound: {
    with: { direction: "inbound", status: "delivered", type: "unavailable" },
    run: (ids) =>
      completeInbound(
        platform(),
        ids.toReversed().map((id) => {
          const message = {
            id,
            business_id: scope().businessId,
            wa_message_id: id,
            chat,
            sender: chat,
            from_me: false,
          };
          return { ...message, at, type: "text", text: "hello" };
        }),
      ),
  },
  releaseOnInbound: {
    with: { wait_reason: "pacing", next_attempt_at: inAnHour },
    run: () => releaseOnInbound(platform(), [{ business_id: scope().businessId, chat }]),
  },
  releasePaced: {
    with: { wait_reason: "pacing", next_attempt_at: inAnHour },
    run: () => releasePaced(scope()),
  },
  rekeyMessages: {
    with: { chat: lid },
    prepare: () => learnNames(platform(), [{ business_id: scope().businessId, alias: lid, chat }]),
    run: () => rekeyMessages(scope(), { alias: lid, chat }, { limit: 10 }),
  },
  failDuplicates: {
    with: { broadcast_id: broadcast },
    // The message that is kept.
    prepare: () => insertMessages("ascending", { broadcast_id: broadcast, status: "sent" }),
    run: () => failDuplicates(scope(), [chat]),
  },
  holdBroadcast: { with: { broadcast_id: broadcast }, run: () => holdBroadcast(scope(), broadcast) },
  releaseBroadcast: {
    with: { broadcast_id: broadcast, wait_reason: "broadcast", next_attempt_at: null },
    prepare: () => insertBroadcast("running"),
    run: () => releaseBroadcast(scope(), broadcast),
  },
  failCancelled: {
    with: { broadcast_id: broadcast },
    prepare: () => insertBroadcast("cancelled"),
    run: () => failCancelled(scope(), broadcast),
  },
  finishUpload: {
    with: { wait_reason: "upload", type: "image", content: { type: "image", media: { id: media } } as never },
    prepare: async () => {
      await database().owner`
        insert into media (id, business_id, storage_key) values (${media}, ${scope().businessId}, ${media})
        on conflict (id) do update set business_id = excluded.business_id`;
      await database().owner`delete from media_uploads`;
      await database().owner`
        insert into media_uploads (media_id, kind, business_id) values (${media}, 'image', ${scope().businessId})`;
    },
    run: () => finishUpload(scope(), { media_id: media, kind: "image" }, { status: "failed", error: "refused" }),
  },
  noteRead: {
    with: { direction: "inbound", status: "delivered" },
    run: (ids) => noteRead(scope(), ids.toReversed()),
  },
  markReceiptsOverdue: {
    with: { status: "sent", attempts: 1, ...group },
    prepare: () => database().owner`update businesses set whatsapp_shard = 1 where id = ${scope().businessId}`,
    run: () =>
      markReceiptsOverdue(platform(), { from: new Date(Date.now() - 60_000), to: new Date(Date.now() + 60_000) }, [1]),
  },
  deleteBusiness: { with: {}, run: () => deleteBusiness(scope()) },
  purgeBusiness: {
    with: {},
    prepare: () =>
      database().owner`update businesses set deleted_at = now() - interval '9 days' where id = ${scope().businessId}`,
    run: () => purgeBusiness(platform(), scope().businessId, { days: 1, batch: 10 }),
  },
};

describe.each(["ascending", "descending"] as const)("rows that lie in %s order are locked by id:", (order) => {
  test.each(Object.entries(onMessages))("messages by %s", async (_, verb) => {
    await verb.prepare?.();
    const ids = await insertMessages(order, verb.with);
    await besideOrderedLocks(database(), lockRows("messages", ids), () => verb.run(ids));
  });

  type DeliveryVerb = { with: Partial<WebhookDelivery>; run: (webhook: string, ids: Ids) => Promise<unknown> };
  const onDeliveries: Record<string, DeliveryVerb> = {
    recordDeliveries: {
      with: {},
      run: (_, ids) =>
        recordDeliveries(
          platform(),
          ids.toReversed().map((id) => {
            return { id, at, duration_ms: 1, http_status: 200, error: null, status: "delivered" as const };
          }),
        ),
    },
    dueDeliveries: {
      with: { expires_at: new Date(0) },
      run: (id) => dueDeliveries(platform(), { id, ordered: false }, 10),
    },
    replayDeliveries: {
      with: { status: "dead" },
      run: (webhook) => {
        const range = { from: new Date(Date.now() - 60_000), to: new Date(Date.now() + 60_000) };
        return replayDeliveries(scope(), webhook, { ...range, status: "dead", most: 10 });
      },
    },
    deleteWebhook: { with: {}, run: (webhook) => deleteWebhook(scope(), webhook) },
  };
  test.each(Object.entries(onDeliveries))("webhook deliveries by %s", async (_, verb) => {
    const { webhook, ids } = await insertDeliveries(order, verb.with);
    await besideOrderedLocks(database(), lockRows("webhook_deliveries", ids), () => verb.run(webhook, ids));
  });
});

describe("names of accounts", () => {
  const number = (n: number) => `551198765432${n}@s.whatsapp.net`;
  const named = (...pairs: [alias: string, chat: string][]) =>
    pairs.map(([alias, chat]) => ({ business_id: scope().businessId, alias, chat }));
  const learnIn = (pairs: ReturnType<typeof named>) => (tx: postgres.TransactionSql) =>
    tx`select learn_chat_aliases(${JSON.stringify(pairs)}::text::jsonb)`;

  test("are learned by one transaction at a time", async () => {
    const [first, last] = [named(["1@lid", number(1)]), named(["2@lid", number(2)])];
    await besideOrderedLocks(database(), [learnIn(first), learnIn(last)], () =>
      learnNames(platform(), named(["2@lid", number(3)], ["1@lid", number(4)])),
    );
    expect(await resolveChat(scope(), "1@lid")).toBe(number(4));
    expect(await resolveChat(scope(), "2@lid")).toBe(number(3));
  });

  test("are locked before messages", async () => {
    await learnNames(platform(), named([lid, chat]));
    const [id] = await insertMessages("ascending", { chat: lid });
    const lockName = (tx: postgres.TransactionSql) =>
      tx`select from chat_aliases where business_id = ${scope().businessId} and alias = ${lid} for update`;
    const rekey = () => rekeyMessages(scope(), { alias: lid, chat }, { limit: 10 });
    expect(await besideOrderedLocks(database(), [lockName, lockRow("messages", id)], rekey)).toBe(2);
  });

  test("that lead to another chat by now move nothing", async () => {
    await learnNames(platform(), named([lid, number(5)]));
    await insertMessages("ascending", { chat: lid });
    expect(await rekeyMessages(scope(), { alias: lid, chat }, { limit: 10 })).toBe(0);
    expect(await settleAlias(scope(), { alias: lid, chat })).toBeUndefined();
    expect(await unmergedAliases(scope(), 10)).toEqual([{ alias: lid, chat: number(5) }]);
  });
});

describe("retention", () => {
  test("skips deliveries that are being replayed", async () => {
    const days = { deliveryDays: -1, quarantineDays: 1, endedKeyDays: 1, auditReadDays: 1, groupReceiptDays: 1 };
    const { webhook, ids } = await insertDeliveries("ascending", { status: "dead" });
    const [replayed] = ids;
    await database().owner.begin(async (tx) => {
      await lockRow("webhook_deliveries", replayed)(tx);
      await forgetOld(platform(), days);
    });
    const kept = await database().owner`select id from webhook_deliveries where webhook_id = ${webhook}`;
    expect(kept.map(({ id }) => id)).toEqual([replayed]);
  });
});
