import { sleep } from "../../../lib/core/time.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { Metrics } from "../../../lib/runtime/metrics.ts";

/** How often the condition is checked. */
const defaultPollMs = 1_000;

/**
 * Holds back a process that must not serve its shard: another process owns it, or the volume is out of date. The
 * process stays alive and is not ready; if it exited, Nomad would restart it without end. The reason is logged once,
 * and is in `/ready`.
 */
export class Standby {
  readonly #logger: Logger;
  readonly #signal: AbortSignal;
  readonly #pollMs: number;
  #reason: string | undefined;

  constructor(options: { logger: Logger; metrics: Metrics; signal: AbortSignal; pollMs?: number }) {
    this.#logger = options.logger;
    this.#signal = options.signal;
    this.#pollMs = options.pollMs ?? defaultPollMs;
    options.metrics.gauge("whatsapp_standing_by", "1 while this process must not serve its shard.", [], (gauge) =>
      gauge.set(this.#reason === undefined ? 0 : 1),
    );
  }

  /** Why the process does not serve; undefined if it may. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** Resolves once `obstacle` resolves with undefined. A check that fails repeats the last answer. */
  async until(obstacle: () => Promise<string | undefined>): Promise<void> {
    for (;;) {
      const reason = await obstacle().catch(() => this.#reason);
      if (reason !== this.#reason) {
        if (reason === undefined) this.#logger.info("the shard does not stand by any more");
        else this.#logger.error({ alarm: true, reason }, "the shard stands by");
        this.#reason = reason;
      }
      if (reason === undefined) return;
      await sleep(this.#pollMs, this.#signal);
    }
  }
}
