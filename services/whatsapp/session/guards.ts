import { AppError } from "../../../lib/core/errors.ts";
import type { State } from "./states.ts";
import { reasonOf, statusOf } from "./view.ts";

/** @throws AppError "conflict" if the session is in one of these states */
export function assertNot(state: State, ...refused: State["is"][]): void {
  if (!refused.includes(state.is)) return;
  const reason = reasonOf(state);
  throw new AppError("conflict", `The session is ${statusOf(state)}${reason === undefined ? "" : `: ${reason}`}.`);
}

/** @throws AppError "conflict" if no phone is linked */
export function assertPaired(paired: boolean): void {
  if (!paired)
    throw new AppError("conflict", "No phone is linked to this business: connect it and scan the QR code first.");
}
