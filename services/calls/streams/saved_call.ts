import { messageOf } from "../../../lib/core/errors.ts";
import type { Core } from "../flow/core.ts";
import type { CallChanges, CallState } from "../state/call.ts";
import { isFinal } from "../state/call.ts";

export type SavedCallHooks = {
  /** True if this stream still carries the call. */
  isLive: () => boolean;
  /** The call ended, or another stream carries it. */
  onSuperseded: () => void;
};

/** The state of a call that this replica carries. Writes are serialised: each follows the version of the last one. */
export class SavedCall {
  readonly #core: Pick<Core, "store" | "capacity" | "logger">;
  readonly #hooks: SavedCallHooks;
  #call: CallState;
  #saving: Promise<void> = Promise.resolve();
  #isSuperseded = false;

  constructor(core: Pick<Core, "store" | "capacity" | "logger">, call: CallState, hooks: SavedCallHooks) {
    this.#core = core;
    this.#call = call;
    this.#hooks = hooks;
  }

  /** The call as this replica last saw it. */
  get call(): CallState {
    return this.#call;
  }

  /** Resolves once every write has ended. */
  settled(): Promise<void> {
    return this.#saving;
  }

  /** Writes changes. Logs a failure and never throws. */
  save(changes: () => CallChanges): Promise<void> {
    this.#saving = this.#saving
      .then(() => this.#write(changes()))
      .catch((error: unknown) => {
        this.#core.logger.warn(
          { error: messageOf(error), call_sid: this.#call.call_sid },
          "the call's state could not be written",
        );
      });
    return this.#saving;
  }

  /** Releases the slot unless another stream carries the call. Without Redis, the lease expires instead. */
  async releaseSlot(): Promise<void> {
    if (this.#isSuperseded) return;
    const { call_sid: callSid, business_id: businessId } = this.#call;
    await this.#core.capacity.release({ callSid, businessId }).catch(() => {});
  }

  async #write(changes: CallChanges): Promise<void> {
    const known = this.#call;
    const result = await this.#core.store.changeFrom(known, changes);
    if (result.call === null) return this.#restore(changes);
    if (this.#isMistakenForOver(result.call)) return this.#revive(result.call, changes);
    const lost = result.call.step === "ended" || result.call.stream !== known.stream;
    if (lost) return this.#yield(result.call);
    this.#call = result.call;
    if (!result.changed) await this.#write(changes);
  }

  /** The sweep ended this call because this replica could not reach Redis to report it. */
  #isMistakenForOver(call: CallState): boolean {
    return call.step === "ended" && !isFinal(call.status) && call.stream === this.#call.stream && this.#hooks.isLive();
  }

  /** The carrier has not reported an end and this stream carries the call, so it continues. */
  #revive(call: CallState, changes: CallChanges): Promise<void> {
    const { stream_sid, replica } = this.#call;
    this.#core.logger.warn({ call_sid: call.call_sid }, "the sweep ended a live call; it continues");
    this.#call = call;
    return this.#write({ step: "streaming", ended_at: null, stream_sid, replica, ...changes });
  }

  /** The call ended or continues in another stream. */
  async #yield(call: CallState): Promise<void> {
    this.#isSuperseded = call.step !== "ended";
    if (this.#hooks.isLive()) this.#hooks.onSuperseded();
    // This replica may have renewed the slot after another one released it.
    if (call.step === "ended") await this.releaseSlot();
  }

  /** Redis lost the call: writes it again from memory. */
  async #restore(changes: CallChanges): Promise<void> {
    const { version: _, ...known } = this.#call;
    this.#call = (await this.#core.store.begin({ ...known, ...changes })).call;
  }
}
