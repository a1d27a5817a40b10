import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { addFetches, forPlatform, insertInbound } from "../../../lib/db/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { useMediaStage } from "../testing/media.ts";
import { takeFileTurn } from "./file_turn.ts";

const stage = useMediaStage();

/** Adds `count` files that wait to be fetched, each with content of its own. */
async function addFiles(business_id: string, count: number): Promise<void> {
  const pointers = await Promise.all(Array.from({ length: count }, () => stage.placed("document", randomBytes(2_000))));
  const media = { mime: "application/x-any" };
  const messages = pointers.map((pointer, n) => ({
    id: uuidv7(),
    business_id,
    wa_message_id: `FILE${n}`,
    chat: "5511@s.whatsapp.net",
    sender: "5511@s.whatsapp.net",
    from_me: false,
    at: new Date(),
    type: "document",
    content: { type: "document" as const, media: { ...media, pointer } },
  }));
  await insertInbound(forPlatform(stage.workers.database.db), messages);
  const fetches = messages.map(({ id, content }) => ({
    message_id: id,
    business_id,
    kind: content.type,
    pointer: content.media.pointer,
  }));
  await addFetches(forPlatform(stage.workers.database.db), fetches);
}

const pendingOf = async (business: string) =>
  (await stage.workers.database.owner`select from media_fetches where business_id = ${business}`).length;

describe("file turn", () => {
  test("gives a business its turn behind floods of others", async () => {
    const { workers } = stage;
    const floods = await Promise.all([1, 2, 3, 4].map(() => workers.business()));
    const patient = await workers.business();
    for (const business of floods) await addFiles(business, 60);
    await addFiles(patient, 1);
    for (const business_id of floods) await workers.producer.wake("fetch_media", { business_id });
    await workers.producer.wake("fetch_media", { business_id: patient });
    await until(async () => (await pendingOf(patient)) === 0, { what: "the only file of a business", everyMs: 5 });
    const left = await Promise.all(floods.map(pendingOf));
    // A turn of each comes first: 16 files at most.
    for (const files of left) expect(files).toBeGreaterThanOrEqual(20);
    await until(async () => (await Promise.all(floods.map(pendingOf))).every((files) => files === 0), {
      what: "every file",
    });
  });

  test("keeps a failing file from blocking the others", async () => {
    const { workers } = stage;
    const business_id = await workers.business();
    await addFiles(business_id, 3);
    const [{ message_id }] = await workers.database.owner<[{ message_id: string }]>`
      update media_fetches set pointer = pointer || '{"direct_path": "/v/none"}', attempts = 1,
        next_attempt_at = now() - interval '1 minute'
      where message_id = (select min(message_id::text)::uuid from media_fetches where business_id = ${business_id})
      returning message_id`;
    await workers.producer.wake("fetch_media", { business_id });
    const pending = () => workers.database.owner`select * from media_fetches where business_id = ${business_id}`;
    await until(async () => (await pending()).every(({ error }) => error !== null), {
      what: "the other files, and the end of the failing attempt",
    });
    for (const row of await pending()) {
      expect(row).toMatchObject({ message_id, attempts: 2, error: expect.any(String) });
    }
  });

  test("holds the lease until every file ends", async () => {
    const failing = Promise.withResolvers<undefined>();
    const slow = Promise.withResolvers<undefined>();
    const handled: string[] = [];
    const never = new AbortController().signal;
    const payload = { business_id: uuidv7() };
    const run = { jobId: "1", payload, attempt: 1, endsAt: performance.now() + 60_000, signal: never, stopping: never };
    const files = [failing, slow];
    const take = () =>
      takeFileTurn(stage.workers.deps, "prepare_media", run, {
        counts: {},
        atOnce: 2,
        claim: async () => {
          const work = files.shift();
          return work && { work };
        },
        handle: async ({ promise }) => {
          handled.push("file");
          return promise;
        },
      });
    const turn = take().catch((error: unknown) => error);
    await until(() => handled.length === 2, { what: "both files in flight" });
    failing.reject(new Error("the disk is full"));
    await Bun.sleep(0);
    expect(await take()).toMatchObject({ again: { reason: "another worker holds the lease" } });
    slow.resolve(undefined);
    expect(await turn).toMatchObject({ message: "the disk is full" });
    expect(await take()).toEqual({ counts: {} });
  });
});
