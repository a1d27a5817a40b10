import { proto } from "@whiskeysockets/baileys";
import { z } from "zod";
import type { AuthStore } from "../auth/auth_store.ts";

/** Histories that wait for their download. WhatsApp sends a handful after a link. */
const maxPending = 20;
const maxNotificationBytes = 16 * 1024;
const entry = "history";

const pendingHistory = z.object({
  notification: z.base64(),
  /** Attempts that did not end. */
  attempts: z.int().min(0),
  failures: z.int().min(0).default(0),
  /** Failures because of the content. */
  mismatches: z.int().min(0).default(0),
  /** Unix ms of the next attempt. */
  next_at: z.number().default(0),
});
export type PendingHistory = z.infer<typeof pendingHistory>;

/** The histories on the media host that are not downloaded yet, in the auth store. */
export class PendingHistories {
  readonly #store: () => Pick<AuthStore, "read" | "write"> | undefined;

  constructor(store: () => Pick<AuthStore, "read" | "write"> | undefined) {
    this.#store = store;
  }

  due(now = Date.now()): PendingHistory | undefined {
    return this.#read().find(({ next_at }) => next_at <= now);
  }

  /** Unix ms of the last attempt that is planned; undefined without any. */
  lastAttemptAt(): number | undefined {
    const pending = this.#read();
    return pending.length === 0 ? undefined : Math.max(...pending.map(({ next_at }) => next_at));
  }

  add(notification: proto.Message.IHistorySyncNotification): void {
    const pending = this.#read();
    if (pending.length >= maxPending) return;
    const bytes = proto.Message.HistorySyncNotification.encode(notification).finish();
    if (bytes.length > maxNotificationBytes) throw new RangeError(`its notification has ${bytes.length} bytes`);
    const recorded = Buffer.from(bytes).toString("base64");
    this.#write([...pending, { notification: recorded, attempts: 0, failures: 0, mismatches: 0, next_at: 0 }]);
  }

  /** Replaces the record of a history, which then comes after the others. */
  put(history: PendingHistory): void {
    this.#write([...this.#without(history), history]);
  }

  remove(history: PendingHistory): void {
    this.#write(this.#without(history));
  }

  #without({ notification }: PendingHistory): PendingHistory[] {
    return this.#read().filter((each) => each.notification !== notification);
  }

  #read(): PendingHistory[] {
    const stored = this.#store()?.read(entry);
    return stored === undefined
      ? []
      : z
          .array(pendingHistory)
          .catch([])
          .parse(JSON.parse(stored.toString("utf8")));
  }

  #write(pending: PendingHistory[]): void {
    const value = pending.length === 0 ? null : Buffer.from(JSON.stringify(pending));
    this.#store()?.write([[entry, value]]);
  }
}
