import { expect, test } from "bun:test";
import { assert, asyncProperty, boolean, constantFrom, shuffledSubarray, tuple } from "fast-check";
import { uuidv7 } from "../../../lib/core/ids.ts";
import {
  addRecipients,
  changeBroadcastStatus,
  forBusiness,
  getBroadcast,
  insertBroadcast,
  learnNames,
} from "../../../lib/db/index.ts";
import { firstRun } from "../testing/run.ts";
import { useWorkers } from "../testing/workers.ts";

const stage = useWorkers();

const number = "15550000001@s.whatsapp.net";
const other = "15550000002@s.whatsapp.net";
const steps = ["release", "release", "release", "send", "send", "send", "urgent", "learn", "merge"] as const;

/** A broadcast to one person under two names and to another one; returns the steps that its jobs can take. */
async function startBroadcast(names: readonly [string, string], recipients: readonly string[]) {
  const { workers } = stage;
  const { handlers, database, shard } = workers;
  const business_id = await workers.business();
  const scope = forBusiness(database.db, business_id);
  const id = uuidv7();
  const draft = {
    id,
    name: "Sale",
    text: "Sale",
    time_zone: null,
    scheduled_at: null,
    quiet_from: null,
    quiet_to: null,
  };
  // One recipient a release.
  await insertBroadcast(scope, { ...draft, per_minute: 60 });
  await addRecipients(
    scope,
    id,
    recipients.map((chat) => ({ chat, fields: {}, text_length: 4 })),
  );
  await changeBroadcastStatus(scope, id, "start");
  const [alias, chat] = names;

  const take = {
    release: async () => {
      await database.owner`update broadcasts set next_release_at = null where id = ${id}`;
      await handlers.broadcast(firstRun<"broadcast">({ broadcast_id: id }));
    },
    send: () => handlers.send_broadcasts(firstRun<"send_broadcasts">({ business_id })),
    urgent: async () => {
      await workers.queueMessage(business_id, number, "urgent");
      await handlers.send(firstRun<"send">({ business_id }));
    },
    learn: () => learnNames(scope, [{ business_id, alias, chat }]),
    merge: () => handlers.merge_chats(firstRun<"merge_chats">({ business_id })),
  };
  return {
    take,
    sentTo: (...chats: string[]) =>
      shard.deliveries.filter(
        (one) => one.business_id === business_id && one.text === "Sale" && chats.includes(one.chat),
      ).length,
    finish: async () => {
      for (let n = 0; n < 20 && (await getBroadcast(scope, id))?.status !== "completed"; n++) {
        await take.send();
        await take.release();
      }
      expect((await getBroadcast(scope, id))?.status).toBe("completed");
    },
  };
}

test("a person with two names gets a broadcast once", async () => {
  const names = constantFrom(["777@lid", number] as const, ["1555999@s.whatsapp.net", number] as const);
  const orders = tuple(
    names,
    boolean(),
    shuffledSubarray([0, 1, 2], { minLength: 3 }),
    shuffledSubarray([...steps], { minLength: steps.length }),
  );
  const property = asyncProperty(orders, async ([[alias, chat], isReversed, order, taken]) => {
    const broadcast = await startBroadcast(
      isReversed ? [chat, alias] : [alias, chat],
      order.map((n) => [alias, chat, other][n]!),
    );
    let sentBefore = 0;
    for (const step of taken) {
      if (step === "learn") sentBefore = broadcast.sentTo(alias, chat);
      await broadcast.take[step]();
    }
    await broadcast.finish();
    // A message that was sent before the names were known stays sent.
    expect(broadcast.sentTo(alias, chat)).toBe(Math.max(1, sentBefore));
    expect(broadcast.sentTo(other)).toBe(1);
  });
  await assert(property, { numRuns: 40 });
}, 120_000);
