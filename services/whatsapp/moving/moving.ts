import type { Statement } from "bun:sqlite";
import { AppError } from "../../../lib/core/errors.ts";
import type { KeyRing } from "../../../lib/core/key_ring.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { Departures, MoveOrder, Placement, Stopped } from "../../../lib/contracts/shard/moves.ts";
import { archiveStore } from "../auth/archive.ts";
import type { ShardCopy } from "../copy/copy.ts";
import type { KeptMessages } from "../receiving/kept_messages.ts";
import type { Ledger } from "../sending/ledger.ts";
import { KeyedLock } from "../../../lib/core/keyed_lock.ts";
import type { ShardDb } from "../volume/shard_db.ts";
import type { Volume } from "../volume/volume.ts";
import { stageStore, promoteStore, readStore, removeStaged } from "./auth_file.ts";
import { checksumOf, packLogin, unpackLogin } from "./bundle.ts";
import { MoveKeys } from "./move_keys.ts";
import type { Placements } from "./placements.ts";
import { decide } from "./rules.ts";
import type { Step } from "./rules.ts";

/** The session operations that moving needs. */
export type Sessions = {
  /** Closes a session without logging out and removes it. Does nothing if there is none. */
  leave(businessId: string): Promise<void>;
  /** Opens the login on the volume, if there is one. */
  admit(businessId: string): void;
  isPaired(businessId: string): boolean;
};

export type MovingOptions = {
  volume: Volume;
  db: ShardDb;
  ledger: Ledger;
  kept: KeptMessages;
  placements: Placements;
  sessions: Sessions;
  keys: KeyRing;
  /** The copy outside of the volume. A step is done once the copy has it. Default: none. */
  copy?: Pick<ShardCopy, "stores" | "stored"> | undefined;
  /** Throws if this process no longer owns the shard. */
  fence: () => void;
  logger: Logger;
};

/**
 * Executes the movers' orders on this shard, one at a time for each business. The decision is on the disk before its
 * effects, so that a shard that is killed at any point continues when the order is repeated.
 */
export class Moving {
  readonly #options: MovingOptions;
  readonly #lock = new KeyedLock();
  readonly #moveKeys = new MoveKeys();
  readonly #journaled: Statement<{ n: number }, [string]>;
  readonly #journal: Statement<{ n: number }, []>;

  constructor(options: MovingOptions) {
    this.#options = options;
    this.#journaled = options.db.db.query("SELECT count(*) AS n FROM journal WHERE business_id = ?");
    this.#journal = options.db.db.query("SELECT count(*) AS n FROM journal");
  }

  /** Closes the session, after messages in flight were acknowledged, and keeps it closed. */
  stop(businessId: string, order: MoveOrder): Promise<Stopped> {
    return this.#execute("stop", businessId, order, async () => {
      await this.#options.sessions.leave(businessId);
      this.#options.db.flush();
      return { journal: this.#journaled.get(businessId)!.n };
    });
  }

  /** Returns the login, sealed for the shard that created `receiver` for this move. */
  bundle(businessId: string, order: MoveOrder, receiver: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    return this.#execute("bundle", businessId, order, async () => {
      const { volume, ledger, kept, keys, copy } = this.#options;
      const auth = await readStore(volume, businessId, keys, copy?.stores.of("sessions", businessId));
      const login = { auth, ledger: ledger.entriesOf(businessId), kept: kept.rowsOf(businessId) };
      return packLogin(login, businessId, order, receiver);
    });
  }

  /** Creates the key for which the bundle of a move is sealed. Resolves with its public half. */
  key(businessId: string, order: MoveOrder): Promise<Uint8Array> {
    return this.#lock.run(businessId, async () => {
      this.#decide("take", businessId, order);
      return this.#moveKeys.offer(businessId, order);
    });
  }

  /** Marks the login as moved for ever, whatever happens to this process. */
  tombstone(businessId: string, order: MoveOrder): Promise<void> {
    return this.#execute("tombstone", businessId, order, async () => {
      const { volume, kept, copy } = this.#options;
      archiveStore(volume.file("sessions"), volume.file("set-aside"), businessId);
      copy?.stores.removed("sessions", businessId);
      await kept.removeAll(businessId);
    });
  }

  /** Rolls back a move at its source: the session goes on here. */
  reopen(businessId: string, order: MoveOrder): Promise<void> {
    return this.#execute("reopen", businessId, order, async () => this.#options.sessions.admit(businessId));
  }

  /**
   * Stages a login without opening it. Resolves with the checksum of the bundle once all of it is on the disk.
   * @throws AppError "unavailable" if the key of the move is missing, for example after a restart: request another one.
   */
  async take(businessId: string, order: MoveOrder, bytes: Uint8Array): Promise<string> {
    const { volume, keys, ledger, kept, sessions, copy } = this.#options;
    const key = this.#moveKeys.get(businessId, order);
    if (key === undefined) {
      // An earlier move's bundle is refused permanently.
      this.#decide("take", businessId, order);
      throw new AppError("unavailable", "The shard has no key for this move: request one.", { retryAfterS: 1 });
    }
    const login = unpackLogin(bytes, businessId, order, key);
    if (sessions.isPaired(businessId))
      throw new AppError("conflict", "The business has a login on this shard already.");
    return this.#execute("take", businessId, order, async () => {
      copy?.stores.removed("arriving", businessId);
      await stageStore(volume, businessId, login.auth, keys, copy?.stores.of("arriving", businessId));
      await ledger.takeOver(businessId, login.ledger);
      await kept.takeOver(businessId, login.kept);
      return checksumOf(bytes);
    });
  }

  /** Makes the staged login this shard's own and opens it. */
  async open(businessId: string, order: MoveOrder): Promise<void> {
    await this.#lock.run(businessId, async () => {
      const decision = this.#decide("open", businessId, order);
      this.#moveKeys.forget(businessId, order);
      if ("becomes" in decision) {
        const { volume, sessions, placements, copy } = this.#options;
        // An unfinished pairing on this shard has a store of its own.
        await sessions.leave(businessId);
        if (promoteStore(volume, businessId)) copy?.stores.promoted(businessId);
        await placements.put({
          business_id: businessId,
          state: "here",
          move_id: order.move_id,
          fence: order.fence,
          peer: order.from,
        });
        this.#logStep("open", businessId, order);
      }
      await this.#options.copy?.stored();
      this.#options.sessions.admit(businessId);
    });
  }

  /** Rolls back a move at its target: deletes the staged login. The record makes a late order fail. */
  discard(businessId: string, order: MoveOrder): Promise<void> {
    return this.#execute("discard", businessId, order, async () => {
      this.#moveKeys.forget(businessId, order);
      removeStaged(this.#options.volume, businessId);
      this.#options.copy?.stores.removed("arriving", businessId);
    });
  }

  departures(): Departures {
    return { data: this.#options.placements.all(), journal: this.#journal.get()!.n };
  }

  /** Records the decision, then executes its effects; only the effects again if it was recorded before. */
  #execute<T>(step: Step, businessId: string, order: MoveOrder, effects: () => Promise<T>): Promise<T> {
    return this.#lock.run(businessId, async () => {
      const decision = this.#decide(step, businessId, order);
      if ("becomes" in decision) {
        const peer = order.from === this.#options.volume.shard ? order.to : order.from;
        await this.#options.placements.put({
          business_id: businessId,
          state: decision.becomes,
          move_id: order.move_id,
          fence: order.fence,
          peer,
        });
        this.#logStep(step, businessId, order);
      }
      const result = await effects();
      await this.#options.copy?.stored();
      return result;
    });
  }

  #decide(
    step: Step,
    businessId: string,
    order: MoveOrder,
  ): { becomes: Placement["state"] } | { is: Placement["state"] } {
    const { fence, placements, volume } = this.#options;
    fence();
    const here = sourceSteps.has(step) ? order.from : order.to;
    if (here !== volume.shard) {
      throw new AppError("conflict", `This is shard ${volume.shard}, and the order to ${step} is for shard ${here}.`);
    }
    const decision = decide(step, placements.get(businessId), order);
    if ("refused" in decision)
      throw new AppError("conflict", `The order to ${step} is out of date: ${decision.refused}.`);
    return decision;
  }

  #logStep(step: Step, businessId: string, { move_id, fence, from, to }: MoveOrder): void {
    this.#options.logger.info(
      { business_id: businessId, move_id, fence, from, to, step },
      "move step done on the shard",
    );
  }
}

const sourceSteps: ReadonlySet<Step> = new Set(["stop", "bundle", "tombstone", "reopen"]);
