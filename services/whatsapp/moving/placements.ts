import type { Statement } from "bun:sqlite";
import { AppError } from "../../../lib/core/errors.ts";
import type { Placement } from "../../../lib/contracts/shard/moves.ts";
import type { ShardDb } from "../volume/shard_db.ts";

const schema = `
  CREATE TABLE IF NOT EXISTS placements (
    business_id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    move_id TEXT NOT NULL,
    fence INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    at INTEGER NOT NULL
  ) WITHOUT ROWID`;

type Values = [string, string, string, number, number, number];

/**
 * The state of every business that was ever moved from or to this shard, on the shard's volume. It guarantees across
 * restarts that a login that left is never opened here again.
 */
export class Placements {
  readonly #db: ShardDb;
  readonly #upsert: Statement<unknown, Values>;
  readonly #known: Map<string, Placement>;

  constructor(db: ShardDb) {
    this.#db = db;
    db.db.run(schema);
    this.#upsert = db.db.query(
      "INSERT OR REPLACE INTO placements (business_id, state, move_id, fence, peer, at) VALUES (?, ?, ?, ?, ?, ?)",
    );
    const rows = db.db.query<Placement, []>("SELECT business_id, state, move_id, fence, peer FROM placements").all();
    this.#known = new Map(rows.map((row) => [row.business_id, row]));
  }

  get(businessId: string): Placement | undefined {
    return this.#known.get(businessId);
  }

  all(): Placement[] {
    return [...this.#known.values()];
  }

  /** Resolves once the placement is on the disk; it is in force from then on. */
  async put(placement: Placement): Promise<void> {
    const { business_id, state, move_id, fence, peer } = placement;
    try {
      await this.#db.write(() => void this.#upsert.run(business_id, state, move_id, fence, peer, Date.now()));
    } catch (cause) {
      throw new AppError("unavailable", "The shard's volume does not accept writes. Retry later.", {
        cause,
        retryAfterS: 10,
      });
    }
    this.#known.set(business_id, placement);
  }

  /** True if a session of this business may be open here. */
  isResident(businessId: string): boolean {
    const state = this.#known.get(businessId)?.state;
    return state === undefined || state === "here";
  }

  /** @throws AppError "unavailable" for a business that is moving or has left. The caller soon finds it elsewhere. */
  assertResident(businessId: string): void {
    if (this.isResident(businessId)) return;
    const { state, peer } = this.#known.get(businessId)!;
    const movement = {
      leaving: `is moving to shard ${peer}`,
      gone: `has left for shard ${peer}`,
      arriving: `is moving here from shard ${peer}`,
    };
    throw new AppError("unavailable", `The business ${movement[state as keyof typeof movement]}.`, { retryAfterS: 1 });
  }
}
