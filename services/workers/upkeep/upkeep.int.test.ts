import { describe, expect, test } from "bun:test";
import {
  insertDeliveries,
  ensurePartitions,
  forBusiness,
  forPlatform,
  quarantineEntries,
} from "../../../lib/db/index.ts";
import { monthPartition } from "../../../lib/db/messages/partitions.ts";
import { queues } from "../../../lib/queues/definitions.ts";
import { until } from "../../../lib/testing/until.ts";
import { useWorkers } from "../testing/workers.ts";
import { storeInbound } from "../../../lib/testing/inbound.ts";

const stage = useWorkers();

const platform = () => forPlatform(stage.workers.database.db);
const day = 86_400_000;
const names = async () =>
  (
    await stage.workers.database.owner<{ name: string }[]>`
    select inhrelid::regclass::text as name from pg_inherits where inhparent = 'messages'::regclass order by 1`
  ).map(({ name }) => name);
const done = (job: string) =>
  until(() => stage.workers.lines.find((line) => line["job"] === job && line["outcome"] === "done"), { what: job });

describe("forget", () => {
  test("removes rows past their retention only", async () => {
    await stage.workers.endpoint(stage.business);
    const event = { business_id: stage.business, event: "message.received", chat: null, at: new Date(), data: {} };
    await insertDeliveries(forBusiness(stage.workers.database.db, stage.business), [event, event, event]);
    const [old, pending] = await stage.workers.database.owner<
      { id: string }[]
    >`select id from webhook_deliveries order by id`;
    const { from } = monthPartition(new Date(Date.now() - 62 * day));
    await stage.workers.database.owner`
    update webhook_deliveries set id = ${from}, status = 'delivered', next_attempt_at = null where id = ${old!.id}`;
    await stage.workers.database
      .owner`update webhook_deliveries set id = ${`${from.slice(0, -1)}1`} where id = ${pending!.id}`;
    const entry = { shard: 1, stream: "inbound", seq: 1, business_id: null, reason: "nonsense", entry: { a: 1 } };
    await quarantineEntries(platform(), [
      { ...entry, at: new Date() },
      { ...entry, seq: 2, at: new Date() },
    ]);
    await stage.workers.database
      .owner`update journal_quarantine set created_at = now() - interval '91 days' where seq = 1`;
    await stage.workers.database.owner`
    insert into idempotency_keys (business_id, key, fingerprint, status, response, expires_at)
    values (${stage.business}, 'old', 'f', 202, '{}', now() - interval '1 second'), (${stage.business}, 'new',
    'f', 202, '{}',
    now() + interval '1 day')`;
    await stage.workers.serve("maintenance");
    await stage.workers.producer.wake("forget", {});
    expect(await done("forget")).toMatchObject({ deliveries: 1, quarantined: 1, idempotency_keys: 1 });
    const [left] = await stage.workers.database.owner`
    select (select count(*)::integer from webhook_deliveries) as deliveries, (select array_agg(key)
    from idempotency_keys) as keys,
           (select array_agg(seq::integer) from journal_quarantine) as quarantined`;
    expect({ ...left }).toEqual({ deliveries: 2, keys: ["new"], quarantined: [2] });
  });

  test("does not block the sweep", async () => {
    const gate = Promise.withResolvers<void>();
    const running = new Set<string>();
    const upkeep = Object.keys(queues.maintenance.jobs).filter((job) => job !== "sweep") as Exclude<
      keyof typeof queues.maintenance.jobs,
      "sweep"
    >[];
    const slow = (job: string) => async () => {
      running.add(job);
      await gate.promise;
      return {};
    };
    await stage.workers.serve("maintenance", {
      handlers: { ...stage.workers.handlers, ...Object.fromEntries(upkeep.map((job) => [job, slow(job)])) },
    });
    for (const job of upkeep) await stage.workers.producer.wake(job, {});
    await stage.workers.serve("high");
    await stage.workers.queueMessage(stage.business, "15550000001@s.whatsapp.net", "its wake-up was lost");
    await until(() => running.size === upkeep.length, { what: "all upkeep to run" });
    await stage.workers.producer.wake("sweep", {});
    await until(() => stage.workers.shard.deliveries.length === 1, { what: "the message" });
    gate.resolve();
  });
});

describe("keep_partitions", () => {
  test("creates the coming months and moves their rows", async () => {
    const soon = new Date(Date.now() + 40 * day);
    const chat = "15550001111@s.whatsapp.net";
    const message = {
      business_id: stage.business,
      wa_message_id: "IN1",
      chat,
      sender: chat,
      from_me: false,
      at: soon,
      type: "text",
      text: "early",
    };
    await storeInbound(platform(), [message]);
    await stage.workers.serve("maintenance");
    await stage.workers.producer.wake("keep_partitions", {});
    await done("keep_partitions");
    const expected = [0, 1, 2, 3].map((ahead) => monthPartition(new Date(), ahead).name);
    expect(await names()).toEqual([...expected, "messages_default"]);
    const [row] = await stage.workers.database
      .owner`select tableoid::regclass::text as partition from messages where wa_message_id = 'IN1'`;
    expect(row!["partition"]).toBe(monthPartition(soon).name);
    expect(await ensurePartitions(platform(), 3)).toEqual([]);
  });

  test("uses the bounds of the migrations", async () => {
    const bounds = () =>
      stage.workers.database.owner`
      select c.relname, pg_get_expr(c.relpartbound, c.oid) as bound from pg_class c
      where c.relname ~ '^messages_[0-9]' and c.relispartition and c.relkind = 'r' order by 1`;
    const made = [...(await bounds())];
    await stage.workers.database.owner.unsafe(`drop table ${monthPartition(new Date()).name}`);
    await ensurePartitions(platform(), 0);
    expect([...(await bounds())]).toEqual(made);
  });

  test("drops months past their retention, no younger ones", async () => {
    const { owner } = stage.workers.database;
    for (const [ago, name] of [
      [2, "young"],
      [4, "old"],
      [14, "older"],
    ] as const) {
      const { name: table, from, to } = monthPartition(new Date(), -ago);
      await owner.unsafe(`create table ${table} partition of messages for values from ('${from}') to ('${to}')`);
      await owner.unsafe(`comment on table ${table} is '${name}'`);
    }
    stage.workers.deps.retention.messageMonths = 6;
    await stage.workers.serve("maintenance");
    await stage.workers.producer.wake("keep_partitions", {});
    expect(await done("keep_partitions")).toMatchObject({ dropped: 1 });
    expect(await names()).not.toContain(monthPartition(new Date(), -14).name);
    expect(await names()).toContain(monthPartition(new Date(), -4).name);
    const [row] = await platform().run((sql) => sql`select array(select drop_message_partitions(0)) as dropped`);
    expect(row!["dropped"]).toEqual([monthPartition(new Date(), -4).name]);
  });

  test("its owner functions refuse other roles", async () => {
    const [row] = await stage.workers.database.owner`
    select bool_or(has_function_privilege('public', p.oid, 'execute')) as open
    from pg_proc p where p.prosecdef and p.pronamespace = 'public'::regnamespace`;
    expect(row!["open"]).toBeFalse();
  });
});
