import { z } from "zod";
import { keyPrefix } from "../../lib/db/keys/api_key.ts";
import { baseEnv, zInt, zUrl } from "../../lib/runtime/config.ts";

export const migrateEnv = z.object({
  LOG_LEVEL: baseEnv.LOG_LEVEL,
  /** The server itself, not a pooler, as the role that owns the tables. */
  DATABASE_URL: zUrl("postgres", "postgresql"),
  /** Its hash is stored if no such key exists. */
  ADMIN_KEY: z
    .string()
    .refine(
      (key) => keyPrefix(key) !== undefined,
      "must have the form psk_<8 letters or digits>_<secret of 20 to 128>",
    ),
  /** Partitions of the messages table made ahead, in months. */
  PARTITIONS_AHEAD: zInt(1, 24).default(3),
});
