import { loadConfig } from "../../lib/runtime/config.ts";
import { createLogger } from "../../lib/runtime/log.ts";
import { migrateEnv } from "./config.ts";
import { migrate } from "./migrate.ts";

const config = loadConfig(migrateEnv);
const logger = createLogger("prosaas-migrate", config.LOG_LEVEL);

try {
  const done = await migrate({
    url: config.DATABASE_URL,
    adminKey: config.ADMIN_KEY,
    partitionsAhead: config.PARTITIONS_AHEAD,
    onWaiting: () => logger.info("another run holds the lock; waiting for it to end"),
    onOpenLocks: () =>
      logger.warn(
        "every role may take advisory locks, so that a shard can stop the others: revoke them as a superuser",
      ),
  });
  logger.info(done, "the database is up to date");
} catch (error) {
  logger.error({ error }, "the migration failed");
  process.exitCode = 1;
}
