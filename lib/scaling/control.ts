import { z } from "zod";

/** The state that operators set (`task autoscale`), as JSON in Consul's KV. */
export const controlKey = "prosaas/autoscaler/control";

const controlSchema = z.object({
  /** It decides and logs, and changes nothing. */
  paused: z.boolean().default(false),
  /** Holds up to this index of Nomad's scaling events have ended. */
  resumedAt: z.int().default(0),
});

export type Control = z.output<typeof controlSchema>;

export const noControl: Control = { paused: false, resumedAt: 0 };

/** Parses the key's value; null for text that is no control. */
export function parseControl(text: string): Control | null {
  try {
    return controlSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
