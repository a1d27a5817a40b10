import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { uuidv7 } from "../../lib/core/ids.ts";
import { createDatabase, forBusiness, submitMessage } from "../../lib/db/index.ts";
import { indexes } from "../../lib/db/indexes.ts";
import { ensureMessagePartitions } from "../../lib/db/messages/partitions.ts";
import { connectAsOwner, withAdvisoryLock } from "../../lib/db/client/owner.ts";
import { createBusiness } from "../../lib/testing/business.ts";
import { createMigratedDatabase } from "../../lib/testing/database.ts";
import type { MigratedDatabase } from "../../lib/testing/database.ts";
import { until } from "../../lib/testing/until.ts";
import { programCommand, programEnv } from "../../lib/testing/program.ts";
import type { Step } from "./build.ts";
import { buildIndexes, indexerLock } from "./indexer.ts";

let database: MigratedDatabase;
beforeEach(async () => {
  database = await createMigratedDatabase();
});
afterEach(() => database.close());

const names = indexes.map((index) => index.name);
const run = (onStep?: (step: Step) => void, onWaiting?: () => void) =>
  buildIndexes({ url: database.ownerUrl, onStep, onWaiting });
const invalid = async () =>
  (
    await database.owner<
      { name: string }[]
    >`select indexrelid::regclass::text as name from pg_index where not indisvalid`
  ).map((row) => row.name);
const parents = async () =>
  (
    await database.owner<{ parent: string; parts: number }[]>`
    select i.indexrelid::regclass::text as parent,
           (select count(*)::integer from pg_inherits where inhparent = i.indexrelid) as parts
    from pg_index i where i.indrelid = 'messages'::regclass order by 1`
  ).map((row) => [row.parent, row.parts]);

describe("the indexer", () => {
  test("builds every listed index on every partition once", async () => {
    expect(await run()).toEqual({ built: names, present: [], dropped: [] });
    expect(await invalid()).toEqual([]);
    expect(await parents()).toEqual([
      ["messages_by_broadcast", 2],
      ["messages_by_business", 2],
      ["messages_by_chat", 2],
      ["messages_by_wa_message_id_and_id", 2],
      ["messages_expiring", 2],
      ["messages_outbox", 2],
      ["messages_outbox_by_chat", 2],
      ["messages_outbox_of_broadcasts", 2],
      ["messages_pkey", 2],
      ["messages_waiting_for_pace", 2],
    ]);
    expect(await run()).toEqual({ built: [], present: names, dropped: [] });
  });

  test("gives later partitions every index", async () => {
    await run();
    await ensureMessagePartitions(database.owner, { ahead: 2 });
    expect(await run()).toEqual({ built: [], present: names, dropped: [] });
    expect((await parents()).every(([, parts]) => parts === 4)).toBeTrue();
  });

  test("builds each index once in concurrent runs", async () => {
    const steps: Step[] = [];
    let waited = 0;
    const gate = connectAsOwner({ url: database.ownerUrl, applicationName: "gate" });
    const begun = await withAdvisoryLock(gate, indexerLock, async () => {
      const all = [1, 2, 3].map(() =>
        run(
          (step) => steps.push(step),
          () => (waited += 1),
        ),
      );
      await until(() => waited === 3, { what: "every run to wait" });
      return { all };
    });
    const runs = await Promise.all(begun.all);
    await gate.end();
    expect(runs.filter((done) => done.built.length > 0)).toHaveLength(1);
    const built = steps.filter((step) => step.action === "build").map((step) => step.index);
    expect(new Set(built).size).toBe(built.length);
  });

  /** Leaves what a build leaves that dies while it waits for an old transaction: an invalid index. */
  async function interruptBuild(): Promise<string> {
    const [old, builder] = [1, 2].map(() => connectAsOwner({ url: database.ownerUrl, applicationName: "interrupted" }));
    const opened = Promise.withResolvers<void>();
    const over = Promise.withResolvers<void>();
    const reader = old!.begin(async (tx) => {
      await tx`insert into businesses (id, name, time_zone) values (gen_random_uuid(), 'x', 'UTC')`;
      await tx`lock table api_keys in row exclusive mode`;
      opened.resolve();
      await over.promise;
    });
    await opened.promise;
    const building = builder!
      .unsafe("create index concurrently api_keys_by_business on api_keys (business_id, id)")
      .catch((error: unknown) => error);
    await until(async () => (await invalid()).length > 0, { what: "the build to start" });
    await database.owner`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and query like 'create index concurrently%'`;
    await building;
    over.resolve();
    await reader;
    await Promise.all([old!.end(), builder!.end({ timeout: 0 })]);
    return "api_keys_by_business";
  }

  test("rebuilds an index that an interrupted build left invalid", async () => {
    const name = await interruptBuild();
    expect(await invalid()).toEqual([name]);
    const steps: Step[] = [];
    const done = await run((step) => steps.push(step));
    expect(done.built).toContain(name);
    expect(steps.filter((step) => step.index === name).map((step) => step.action)).toEqual(["drop_invalid", "build"]);
    expect(await invalid()).toEqual([]);
  });

  test("continues a run that died between partitions", async () => {
    const [first] = await database.owner<{ name: string }[]>`
    select inhrelid::regclass::text as name from pg_inherits where inhparent = 'messages'::regclass order by 1`;
    await database.owner.unsafe("create index messages_by_chat on only messages (business_id, chat, id)");
    await database.owner.unsafe(`create index ${first!.name}_by_chat on ${first!.name} (business_id, chat, id)`);
    const done = await run();
    expect(done.built).toContain("messages_by_chat");
    expect(await invalid()).toEqual([]);
  });

  test("rebuilds an invalid partition's index while attached", async () => {
    await run();
    const [part] = await database.owner<{ name: string }[]>`
    select inhrelid::regclass::text as name from pg_inherits where inhparent = 'messages_outbox'::regclass order by 1`;
    await database.owner`update pg_index set indisvalid = false where indexrelid = to_regclass(${part!.name})`;
    expect(await invalid()).toEqual([part!.name]);
    expect((await run()).built).toEqual(["messages_outbox"]);
    expect(await invalid()).toEqual([]);
  });

  test("waits for a writing transaction without blocking writes", async () => {
    const writer = connectAsOwner({ url: database.ownerUrl, applicationName: "writer" });
    const opened = Promise.withResolvers<void>();
    const over = Promise.withResolvers<void>();
    const writing = writer.begin(async (tx) => {
      await tx`lock table messages in row exclusive mode`;
      opened.resolve();
      await over.promise;
    });
    await opened.promise;
    const steps: Step[] = [];
    const running = run((step) => steps.push(step));
    await until(() => steps.length > 0, { what: "the first statement of the indexer" });
    await createBusiness(database.db);
    await database.owner`select count(*) from messages`;
    over.resolve();
    await writing;
    expect((await running).built).toEqual(names);
    await writer.end();
  });

  test("drops retired indexes by name and no others", async () => {
    await run();
    await database.owner`create index of_long_ago on businesses (name)`;
    await database.owner`create index of_old_messages on messages (push_name)`;
    const drop = (...wanted: string[]) => buildIndexes({ url: database.ownerUrl, drop: wanted });
    for (const needed of ["messages_by_chat", "businesses_pkey"])
      await expect(drop("of_long_ago", needed)).rejects.toThrow("not retired");
    expect((await drop("of_long_ago", "of_old_messages", "never_was")).dropped.toSorted()).toEqual([
      "of_long_ago",
      "of_old_messages",
    ]);
    expect((await run()).built).toEqual([]);
  });

  test("recovers from kill -9 without delaying writes", async () => {
    const scope = await createBusiness(database.db);
    await database.owner`
    insert into messages (id, business_id, direction, chat, type, text, wa_message_id, status)
    select gen_random_uuid(), ${scope.businessId}, 'inbound', n % 500, 'text', md5(n::text), n, 'read'
    from generate_series(1, 200000) n`;
    // A write that waits for a lock fails, and one that waits for the CPU does not.
    const url = new URL(database.appUrl);
    url.searchParams.set("lock_timeout", "1000");
    const waits = { acquireMs: 60_000, answerMs: 60_000 };
    const db = createDatabase({ url: url.toString(), poolSize: 1, applicationName: "writer", waits });
    const failures: unknown[] = [];
    let written = 0;
    let writing = true;
    const writer = (async () => {
      while (writing) {
        const id = uuidv7();
        const message = { id, chat: "1@g.us", type: "text", text: "x", wa_message_id: id } as const;
        await submitMessage(forBusiness(db, scope.businessId), message).then(
          () => (written += 1),
          (error: unknown) => failures.push(error),
        );
        await Bun.sleep(5);
      }
    })();
    const victim = Bun.spawn(programCommand("services/indexer/main.ts"), {
      env: { ...programEnv(), DATABASE_URL: database.ownerUrl },
      stdout: "ignore",
      stderr: "ignore",
    });
    const building = () => database.owner<{ pid: number }[]>`
    select pid from pg_stat_progress_create_index where datname = current_database()`;
    const [session] = await until(
      async () => {
        const sessions = await building();
        return sessions.length > 0 ? sessions : undefined;
      },
      { what: "a running build", everyMs: 2 },
    );
    victim.kill("SIGKILL");
    await victim.exited;
    // Ends the server's session too, which would finish the build: an invalid index remains.
    await database.owner`select pg_terminate_backend(${session!.pid})`;
    await until(async () => (await building()).length === 0, { what: "the end of the session" });
    const done = await run();
    writing = false;
    await writer;
    await db.close();
    expect([...done.built, ...done.present].toSorted()).toEqual(names.toSorted());
    expect(await invalid()).toEqual([]);
    expect(failures).toEqual([]);
    expect(written).toBeGreaterThan(10);
  });
});
