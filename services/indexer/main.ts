import { loadConfig } from "../../lib/runtime/config.ts";
import { createLogger } from "../../lib/runtime/log.ts";
import { indexerEnv } from "./config.ts";
import { buildIndexes } from "./indexer.ts";

const config = loadConfig(indexerEnv);
const logger = createLogger("prosaas-indexer", config.LOG_LEVEL);

try {
  const done = await buildIndexes({
    url: config.DATABASE_URL,
    drop: config.NOMAD_META_drop,
    onStep: (step) => logger.info(step, "index step"),
    onProgress: (progress) => logger.info(progress, "building"),
    onWaiting: () => logger.info("another run holds the lock; waiting for it to end"),
  });
  logger.info(done, "all indexes are built");
} catch (error) {
  logger.error({ error }, "not every index could be built; run it again");
  process.exitCode = 1;
}
