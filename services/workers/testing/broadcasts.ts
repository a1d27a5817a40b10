import { afterEach, beforeEach, expect } from "bun:test";
import { uuidv7 } from "../../../lib/core/ids.ts";
import {
  addRecipients,
  forBusiness,
  getBroadcast,
  insertBroadcast,
  changeBroadcastStatus,
} from "../../../lib/db/index.ts";
import type { NewBroadcast } from "../../../lib/db/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { createTestWorkers } from "./workers.ts";
import type { TestWorkers } from "./workers.ts";

/** Workers and a business for each test of a file, and the steps that broadcast tests share. */
export function useBroadcastStage() {
  let workers: TestWorkers;
  let business: string;
  beforeEach(async () => {
    workers = await createTestWorkers();
    business = await workers.business();
  });
  afterEach(() => workers.close());

  const scope = () => forBusiness(workers.database.db, business);
  const chat = (n: number) => `1555${String(n).padStart(7, "0")}@s.whatsapp.net`;
  const status = async (id: string) => (await getBroadcast(scope(), id))!.status;
  const wake = (id: string) => workers.producer.wake("broadcast", { broadcast_id: id }, { expedite: true });
  const texts = () => workers.shard.deliveries.map(({ text }) => text);

  const draft = async (count: number, changes: Partial<NewBroadcast> = {}): Promise<string> => {
    const id = uuidv7();
    const broadcast: NewBroadcast = {
      id,
      name: "Sale",
      text: "Hello {{name}}",
      time_zone: null,
      scheduled_at: null,
      quiet_from: null,
      quiet_to: null,
      per_minute: 60_000,
      ...changes,
    };
    await insertBroadcast(scope(), broadcast);
    const recipients = Array.from({ length: count }, (_, n) => ({
      chat: chat(n),
      fields: { name: `N${n}` },
      text_length: `Hello N${n}`.length,
    }));
    await addRecipients(scope(), id, recipients);
    return id;
  };

  return {
    get workers() {
      return workers;
    },
    get business() {
      return business;
    },
    scope,
    chat,
    status,
    wake,
    texts,
    draft,
    start: async (count: number, changes: Partial<NewBroadcast> = {}): Promise<string> => {
      const id = await draft(count, changes);
      await changeBroadcastStatus(scope(), id, "start");
      await wake(id);
      return id;
    },
    serve: async (): Promise<void> => {
      await workers.serve("high");
      await workers.serve("broadcasts");
    },
    reached: (id: string, wanted: string, deadlineMs = 10_000) =>
      until(async () => (await status(id)) === wanted, { what: `the broadcast to be ${wanted}`, deadlineMs }),
    wakeSends: () => workers.producer.wake("send_broadcasts", { business_id: business }, { expedite: true }),
    /** Waits for a run of `job` that logs `fields`. */
    logged: (fields: Record<string, string>, what: string, from = 0) =>
      until(
        () =>
          workers.lines.slice(from).some((line) => Object.entries(fields).every(([key, value]) => line[key] === value)),
        { what },
      ),
    expectEachOnce: (count: number) =>
      expect(texts().toSorted()).toEqual(Array.from({ length: count }, (_, n) => `Hello N${n}`).toSorted()),
  };
}
