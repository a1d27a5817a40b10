import { z } from "zod";
import { baseEnv, zUrl } from "../../lib/runtime/config.ts";

export const indexerEnv = z.object({
  LOG_LEVEL: baseEnv.LOG_LEVEL,
  /** The server itself, not a pooler, as the role that owns the tables. */
  DATABASE_URL: zUrl("postgres", "postgresql"),
  /** Names of retired indexes that are to go, with commas between; as Nomad gives what `dispatch -meta drop=…` says. */
  NOMAD_META_drop: z
    .string()
    .default("")
    .transform((names) =>
      names
        .split(",")
        .map((name) => name.trim())
        .filter(Boolean),
    ),
});
