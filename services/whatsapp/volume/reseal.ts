import { messageOf } from "../../../lib/core/errors.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { Journal } from "../receiving/journal.ts";
import type { KeptMessages } from "../receiving/kept_messages.ts";
import type { Ledger } from "../sending/ledger.ts";
import type { ShardDb } from "./shard_db.ts";

/**
 * Reseals the shard's database under the first key of the ring while the shard works. Auth stores are resealed when
 * they are opened. Once this has logged its end, the older keys can be removed from the ring.
 */
export async function resealUnderFirstKey(parts: {
  db: ShardDb;
  journal: Journal;
  ledger: Ledger;
  kept: KeptMessages;
  logger: Logger;
}): Promise<void> {
  const { db, journal, ledger, kept, logger } = parts;
  if (!db.needsFormerKeys) return;
  try {
    const entries = (await journal.reseal()) + (await ledger.reseal()) + (await kept.reseal());
    db.retireFormerKeys();
    logger.info({ entries, former_keys_needed: db.needsFormerKeys }, "sealed again under the first key");
  } catch (error) {
    // Nothing is lost: the remaining values open under the older key, and the next start tries again.
    logger.warn({ error: messageOf(error) }, "resealing under the first key failed; the next start tries again");
  }
}
