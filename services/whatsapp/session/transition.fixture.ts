import type { Action, Event, State, Step } from "./states.ts";
import { transition } from "./transition.ts";

/** States, events and helpers for tests of the session's state machine. */
export const now = 1_000_000;
const noJitter = () => 0;
export const step = (state: State, event: Event, at = now): Step => transition(state, event, at, noJitter);
export const run = (state: State, events: Event[]): Step =>
  events.reduce<Step>((last, event) => step(last.state, event), { state, actions: [] });
export const waitOf = (actions: Action[]) => actions.find((action) => action.do === "wait")?.ms;

export const idle: State = { is: "disconnected" };
export const qr = { is: "connect", paired: false, want: { method: "qr" } } as const;
export const shown = { is: "shown", show: "qr", value: "q1", expiresAt: now + 60_000 } as const;
export const open: State = { is: "open", at: now, attempt: 1 };
