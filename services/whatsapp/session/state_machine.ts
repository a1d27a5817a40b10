import type { Suspension } from "../auth/suspension.ts";
import type { Action, Event, State } from "./states.ts";
import { transition } from "./transition.ts";

/** The side effects of a session's transitions. */
export type Effects = {
  /** The state is decided; its actions follow. */
  entered(state: State, before: State, event: Event): void;
  /** The actions are done. */
  settled(state: State): void;
  connect(): void;
  disconnect(): void;
  /** Loads the store again, as at the start of the process. */
  resume(): void;
  archiveStore(): void;
  closeStore(): void;
  recordSuspension(suspension: Suspension | undefined): void;
  alarm(reason: string): void;
};

/** Holds the state of a session and performs the actions that `transition` decides. */
export class StateMachine {
  readonly #effects: Effects;
  #state: State = { is: "disconnected" };
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(effects: Effects) {
    this.#effects = effects;
  }

  get state(): State {
    return this.#state;
  }

  dispatch(event: Event): void {
    const before = this.#state;
    const { state, actions } = transition(before, event, Date.now());
    this.#state = state;
    if (state.is !== "waiting" && state.is !== "banned") clearTimeout(this.#timer);
    this.#effects.entered(state, before, event);
    for (const action of actions) this.#perform(action);
    this.#effects.settled(this.#state);
  }

  #perform(action: Action): void {
    switch (action.do) {
      case "connect":
        return this.#effects.connect();
      case "disconnect":
        return this.#effects.disconnect();
      case "wait":
        return this.#after(action.ms, () => this.dispatch({ is: "due" }));
      case "resume":
        return this.#after(action.ms, () => this.#effects.resume());
      case "archive_store":
        return this.#effects.archiveStore();
      case "close_store":
        return this.#effects.closeStore();
      case "suspend":
        return this.#effects.recordSuspension(action.suspension);
      case "lift_suspension":
        return this.#effects.recordSuspension(undefined);
      case "alarm":
        return this.#effects.alarm(action.reason);
    }
  }

  #after(ms: number, act: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, ms);
  }
}
