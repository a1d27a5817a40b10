import { z } from "zod";

/** Held by the command, or the autoscaler, that changes the cluster: one at a time. */
export const scaleLockKey = "prosaas/scale/lock";

/** Held by the active autoscaler. */
export const autoscalerLockKey = "prosaas/autoscaler/lock";

const holderSchema = z.object({
  command: z.string(),
  host: z.string(),
  /** Where the process id is valid: names of hosts repeat, and containers have process ids of their own. */
  pids: z.string().optional(),
  pid: z.int(),
  since: z.string(),
  /** Of an autoscaler: where it answers, and its allocation. */
  url: z.string().optional(),
  allocation: z.string().optional(),
});

/** The value of a lock's key. */
export type Holder = z.infer<typeof holderSchema>;

/** Parses the value of a lock's key; null for text that describes no holder. */
export function parseHolder(value: string): Holder | null {
  try {
    return holderSchema.parse(JSON.parse(value));
  } catch {
    return null;
  }
}
