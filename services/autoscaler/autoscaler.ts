import { kvGet } from "../../lib/consul/client.ts";
import type { HeldLock } from "../../lib/consul/lock.ts";
import { autoscalerLockKey } from "../../lib/scaling/index.ts";
import { tryToLead } from "./leader.ts";
import type { LeaderOptions } from "./leader.ts";
import { Rounds } from "./round.ts";
import type { AutoscalerDeps } from "./round.ts";

export type AutoscalerOptions = Omit<AutoscalerDeps, "token"> &
  Pick<LeaderOptions, "url" | "allocation" | "onError"> & { intervalMs: number };

/** A standby looks this often whether the active one is gone. */
const standbyMs = 1_000;

/** One process of the job: it is active or stands by. */
export class Autoscaler {
  readonly #options: AutoscalerOptions;
  #lock: HeldLock | null = null;
  #rounds: Rounds | null = null;

  constructor(options: AutoscalerOptions) {
    this.#options = options;
  }

  /** Asks for the lock, or runs a round. Returns the time until the next look, ms. */
  async look(): Promise<number> {
    const { metrics, logger, intervalMs } = this.#options;
    if (this.#lock?.state === "lost") this.#lock = null;
    if (this.#lock === null) {
      metrics.active(false);
      const onLost = (holder: string) => logger.warn({ holder }, "another autoscaler is active; this one stands by");
      this.#lock = await tryToLead({ ...this.#options, onLost });
      if (this.#lock === null) return standbyMs;
      logger.info({ token: this.#lock.token }, "this autoscaler is active");
      this.#rounds = new Rounds({ ...this.#options, token: () => this.#token() });
    }
    const isHeld = this.#lock.state === "held";
    metrics.active(isHeld);
    if (isHeld) await this.#rounds!.run();
    return isHeld ? intervalMs : standbyMs;
  }

  /** Lets the other one take over at once. */
  async release(): Promise<void> {
    await this.#lock?.release();
  }

  /** Asks Consul, because a lost session is noticed within seconds only. Undefined: another process may be active. */
  async #token(): Promise<number | undefined> {
    const lock = this.#lock;
    if (lock?.state !== "held") return undefined;
    const entry = await kvGet(this.#options.consul, autoscalerLockKey);
    return entry?.session === lock.session ? lock.token : undefined;
  }
}
