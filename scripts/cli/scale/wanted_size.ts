import { z } from "zod";
import { maxCallLimit } from "../../../lib/calls/limit.ts";
import { profiles } from "../../../lib/queues/index.ts";
import { maxShards } from "../../stack/shard_secrets.ts";

const count = z.int().min(1).max(1000);

/** The wanted size of a cluster; omitted counts stay. */
const wantedSize = z
  .strictObject({
    api: count.optional(),
    workers: z.partialRecord(z.enum(profiles), count).optional(),
    calls: z
      .strictObject({ count: count.optional(), max_concurrent: z.int().min(0).max(maxCallLimit).optional() })
      .optional(),
    shards: z.int().min(1).max(maxShards).optional(),
  })
  .refine((size) => Object.keys(size).length > 0, "names nothing");

export type WantedSize = z.infer<typeof wantedSize>;

/** Parses YAML, of which JSON is a subset. @throws Error that names every fault */
export function parseWantedSize(text: string): WantedSize {
  const parsed = wantedSize.safeParse(Bun.YAML.parse(text));
  if (parsed.success) return parsed.data;
  throw new Error(
    parsed.error.issues.map(({ path, message }) => `${path.join(".") || "the file"}: ${message}`).join("; "),
  );
}
