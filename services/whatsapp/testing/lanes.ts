import { afterEach, beforeEach } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { createLogger } from "../../../lib/runtime/log.ts";
import { until } from "../../../lib/testing/until.ts";
import { Lane } from "../sending/lane.ts";
import type { LaneOptions, RelayMessage } from "../sending/lane_options.ts";
import { Ledger } from "../sending/ledger.ts";
import { ShardDb } from "../volume/shard_db.ts";

export const laneBusiness = "0190b2a0-0000-7000-8000-000000000001";
const ring = KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`);
const logger = createLogger("test", "error");

export const messageTo = (chat: string, waMessageId: string) => ({
  waMessageId,
  chat: `${chat}@s.whatsapp.net`,
  message: { conversation: waMessageId },
});

/** Lanes over a ledger of a fresh volume for each test, and what they relayed to WhatsApp. */
export function useLanes() {
  let folder: string;
  let db: ShardDb;
  let ledger: Ledger;
  let overdue: number;
  const relayed: string[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lane-"));
    db = ShardDb.open(join(folder, "shard.db"), ring);
    ledger = new Ledger(db);
    relayed.length = 0;
    overdue = 0;
  });
  afterEach(() => {
    db.close();
    rmSync(folder, { recursive: true });
  });
  const relay: RelayMessage = (_chat, _message, id, transmit) => transmit(async () => void relayed.push(id));
  return {
    db: () => db,
    ledger: () => ledger,
    /** Acknowledgements that were overdue. */
    overdue: () => overdue,
    /** The messages that left for WhatsApp, in that order. */
    relayed,
    relay,
    lane: (options: Partial<LaneOptions> = {}) =>
      new Lane({
        businessId: laneBusiness,
        ledger,
        logger,
        fence: () => {},
        onOverdue: () => (overdue += 1),
        ...options,
      }),
    left: (...ids: string[]) =>
      until(() => relayed.join() === ids.join(), { what: `${ids.join()} to leave`, everyMs: 1 }),
  };
}
