import { messageOf } from "../../../lib/core/errors.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { PasskeyStep } from "../../../lib/contracts/shard/passkey.ts";
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
  /** False until this process has journaled a status: the last one may be another, of a process that was killed. */
  #isJournaled = false;
  #since = Date.now();
  /** The step of a link with a passkey, and why it is repeated. */
  #step: PasskeyStep | undefined;
  #reason: string | undefined;

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
    this.#updateStatus(status, state, { identity, paired });
    this.#updateStep(state);
  }

  /** Like `update`, and on the disk when it returns. */
  updateNow(...change: Parameters<StatusJournal["update"]>): void {
    this.update(...change);
    this.#journal.flush();
  }

  #updateStatus(
    status: SessionStatus,
    state: State,
    { identity, paired }: { identity: Identity; paired: boolean },
  ): void {
    if (status === this.#status && this.#isJournaled) return;
    this.#status = status;
    this.#isJournaled = true;
    this.#since = Date.now();
    const reason = reasonOf(state);
    this.#log.info({ status, ...(reason ? { reason } : {}) }, "session");
    this.#append({
      event: "session.status",
      status,
      ...identity,
      paired,
      since: new Date(this.#since).toISOString(),
      ...(reason ? { reason } : {}),
    });
  }

  /** Journals each step of a link with a passkey, and each refusal; a renewed challenge is neither. */
  #updateStep(state: State): void {
    const { step, expiresAt, reason } = state.is === "passkey" ? state.progress : {};
    if (step === this.#step && reason === this.#reason) return;
    this.#step = step;
    this.#reason = reason;
    if (step === undefined || expiresAt === undefined) return;
    const expires_at = new Date(expiresAt).toISOString();
    this.#append({ event: "session.passkey", step, expires_at, ...(reason === undefined ? {} : { reason }) });
  }

  #append(data: SessionEventData): void {
    this.#journal
      .append("events", this.#businessId, data)
      .catch((error: unknown) =>
        this.#log.error({ error: messageOf(error) }, "a session event could not be journaled"),
      );
  }
}
