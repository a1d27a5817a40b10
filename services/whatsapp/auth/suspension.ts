import { z } from "zod";
import type { AuthStore } from "./auth_store.ts";

const name = "halt";
const halt = z.discriminatedUnion("is", [
  z.object({ is: z.literal("conflict"), reason: z.string() }),
  z.object({
    is: z.literal("disconnected"),
    reason: z.string(),
    /** Stopped on request. A version that does not know the field keeps the login closed too. */
    stopped: z.literal(true).optional(),
  }),
  z.object({ is: z.literal("banned"), reason: z.string(), /** Unix ms. */ until: z.number() }),
]);

/**
 * Why a linked login must not be opened automatically, across restarts, or not before `until`. Stored under the name
 * "halt".
 */
export type Suspension = z.infer<typeof halt>;

export function readSuspension(store: AuthStore): Suspension | undefined {
  const stored = store.read(name);
  return stored === undefined ? undefined : halt.parse(JSON.parse(stored.toString("utf8")));
}

export function writeSuspension(store: AuthStore, value: Suspension | undefined): void {
  store.write([[name, value === undefined ? null : Buffer.from(JSON.stringify(value))]]);
}
