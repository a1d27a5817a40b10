import { indexes as allIndexes } from "../../lib/db/indexes.ts";
import type { IndexDefinition } from "../../lib/db/indexes.ts";
import { connectAsOwner, withAdvisoryLock } from "../../lib/db/client/owner.ts";
import { ensureIndex } from "./build.ts";
import type { Step } from "./build.ts";
import { dropRetired } from "./drop.ts";
import { reportProgress } from "./progress.ts";
import type { BuildProgress } from "./progress.ts";

const applicationName = "prosaas-indexer";

/** One run holds it at a time. */
export const indexerLock = "prosaas:indexer";

export type IndexerOptions = {
  /** DATABASE_URL. */
  url: string;
  indexes?: readonly IndexDefinition[];
  /** Names of retired indexes to drop. */
  drop?: readonly string[];
  onStep?: (step: Step) => void;
  onProgress?: (progress: BuildProgress) => void;
  /** Called once if another run holds the lock. */
  onWaiting?: () => void;
};

/** Names of the indexes that needed work, and of those that were there. */
export type Indexed = { built: string[]; present: string[]; dropped: string[] };

/**
 * Builds what is missing or invalid, one at a time and without blocking writes. Of several runs at once the later
 * ones wait: also for a build whose indexer was killed, because the server carries it on and holds the lock.
 */
export async function buildIndexes({
  url,
  indexes = allIndexes,
  drop = [],
  onStep = () => {},
  onProgress = () => {},
  onWaiting,
}: IndexerOptions): Promise<Indexed> {
  const sql = connectAsOwner({ url, applicationName });
  const over = new AbortController();
  const reporting = reportProgress(url, applicationName, onProgress, over.signal);
  try {
    return await withAdvisoryLock(
      sql,
      indexerLock,
      async () => {
        const done: Indexed = { built: [], present: [], dropped: await dropRetired(sql, drop, indexes, onStep) };
        for (const index of indexes) {
          const worked = await ensureIndex(sql, index, onStep);
          (worked ? done.built : done.present).push(index.name);
        }
        return done;
      },
      onWaiting,
    );
  } finally {
    over.abort();
    await reporting;
    await sql.end({ timeout: 5 });
  }
}
