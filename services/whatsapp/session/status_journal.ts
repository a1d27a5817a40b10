import { messageOf } from "../../../lib/core/errors.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { SessionEventData, SessionStatus } from "../../../lib/contracts/shard/schemas.ts";
import type { Journal } from "../receiving/journal.ts";
import type { Identity } from "./identity.ts";
import type { State } from "./states.ts";
import { reasonOf, statusOf } from "./view.ts";

/** The status of a session, and the event in the journal for each change of it. */
export class StatusJournal {
  readonly #journal: Journal;
  readonly #businessId: string;
  readonly #log: Logger;
  #status: SessionStatus = "disconnected";
  #since = Date.now();

  constructor(journal: Journal, businessId: string, logger: Logger) {
    this.#journal = journal;
    this.#businessId = businessId;
    this.#log = logger;
  }

  get status(): SessionStatus {
    return this.#status;
  }

  /** When the session got this status, Unix ms. */
  get since(): number {
    return this.#since;
  }

  update(state: State, { identity, paired }: { identity: Identity; paired: boolean }): void {
    const status = statusOf(state);
    if (status === this.#status) return;
    this.#status = status;
    this.#since = Date.now();
    const reason = reasonOf(state);
    this.#log.info({ status, ...(reason ? { reason } : {}) }, "session");
    const data: SessionEventData = {
      event: "session.status",
      status,
      ...identity,
      paired,
      since: new Date(this.#since).toISOString(),
      ...(reason ? { reason } : {}),
    };
    this.#journal
      .append("events", this.#businessId, data)
      .catch((error: unknown) =>
        this.#log.error({ error: messageOf(error) }, "a session event could not be journaled"),
      );
  }
}
