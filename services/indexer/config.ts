import { z } from "zod";
import { baseEnv, zUrl } from "../../lib/runtime/config.ts";

export const indexerEnv = z.object({
  LOG_LEVEL: baseEnv.LOG_LEVEL,
  /** The server itself, not a pooler, as the role that owns the tables. */
  DATABASE_URL: zUrl("postgres", "postgresql"),
});
