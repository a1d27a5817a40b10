import { expect } from "bun:test";
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
import { useWorkers } from "./workers.ts";

/** Workers and a business for each test of a file, and the steps that broadcast tests share. */
export function useBroadcastStage() {
  const stage = useWorkers();

  const scope = () => forBusiness(stage.workers.database.db, stage.business);
  const chat = (n: number) => `1555${String(n).padStart(7, "0")}@s.whatsapp.net`;
  const status = async (id: string) => (await getBroadcast(scope(), id))!.status;
  const wake = (id: string) => stage.workers.producer.wake("broadcast", { broadcast_id: id }, { expedite: true });
  const texts = () => stage.workers.shard.deliveries.map(({ text }) => text);

  const logged = (fields: Record<string, string>, what: string, from = 0) =>
    until(
      () =>
        stage.workers.lines
          .slice(from)
          .some((line) => Object.entries(fields).every(([key, value]) => line[key] === value)),
      { what },
    );

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

  return Object.assign(stage, {
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
      await stage.workers.serve("high");
      await stage.workers.serve("broadcasts");
    },
    reached: (id: string, wanted: string) =>
      until(async () => (await status(id)) === wanted, { what: `the broadcast to be ${wanted}` }),
    wakeSends: () =>
      stage.workers.producer.wake("send_broadcasts", { business_id: stage.business }, { expedite: true }),
    /** Waits for a run that logs `fields`. */
    logged: (fields: Record<string, string>, what: string) => logged(fields, what),
    /** Wakes a job and waits until a run after that logs `fields`. */
    runEnded: async (wakeUp: () => Promise<unknown>, fields: Record<string, string>): Promise<void> => {
      const before = stage.workers.lines.length;
      await wakeUp();
      await logged(fields, "the run", before);
    },
    expectEachOnce: (count: number) =>
      expect(texts().toSorted()).toEqual(Array.from({ length: count }, (_, n) => `Hello N${n}`).toSorted()),
  });
}
