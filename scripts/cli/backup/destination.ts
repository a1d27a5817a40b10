import { z } from "zod";
import { AppError } from "../../../lib/core/errors.ts";
import { parseConfig, zInt, zUrl } from "../../../lib/runtime/config.ts";
import { createStore } from "../../../lib/storage/index.ts";
import type { ListableStore } from "../../../lib/storage/index.ts";

/** The settings of both commands. They come from the environment, because a restore has nothing else. */
export const backupEnv = {
  /** `s3://bucket`, which services cannot reach; or `file:///folder`. */
  BACKUP_URL: zUrl("file", "s3"),
  BACKUP_S3_ENDPOINT: zUrl("http", "https").optional(),
  BACKUP_S3_REGION: z.string().min(1).optional(),
  BACKUP_S3_ACCESS_KEY_ID: z.string().min(1).optional(),
  BACKUP_S3_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  /** Public keys of age, separated by commas. The identity of any of them opens a backup. */
  BACKUP_RECIPIENTS: z
    .string()
    .regex(/^age1[a-z0-9]+(,age1[a-z0-9]+)*$/, "must be public keys of age, such as age1…, separated by commas")
    .optional(),
  /** Days in which any point in time can be restored. */
  BACKUP_KEEP_DAYS: zInt(1, 3_650).default(14),
};

export type Destination = {
  /** Where backups are kept, without credentials. */
  url: string;
  store: ListableStore;
  recipients: string[];
  keepDays: number;
};

/** @throws AppError that names every fault of the environment. */
export function readDestination(env: Record<string, string | undefined> = process.env): Destination {
  const read = parseConfig(z.object(backupEnv), env);
  if ("faults" in read) {
    const faults = read.faults.map(({ variable, message }) => `${variable}: ${message}`);
    throw new AppError("invalid_request", `Set where backups are kept (scripts/cli/backup). ${faults.join("; ")}.`);
  }
  const { config } = read;
  const store = createStore({
    STORAGE_URL: config.BACKUP_URL,
    S3_ENDPOINT: config.BACKUP_S3_ENDPOINT,
    S3_REGION: config.BACKUP_S3_REGION,
    S3_ACCESS_KEY_ID: config.BACKUP_S3_ACCESS_KEY_ID,
    S3_SECRET_ACCESS_KEY: config.BACKUP_S3_SECRET_ACCESS_KEY,
  })!;
  const recipients = config.BACKUP_RECIPIENTS?.split(",") ?? [];
  return { url: config.BACKUP_URL, store, recipients, keepDays: config.BACKUP_KEEP_DAYS };
}
