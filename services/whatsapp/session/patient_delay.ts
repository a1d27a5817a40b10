import { PatientTimer } from "../../../lib/runtime/patient_timer.ts";

/** A delay as Baileys' query time-outs use it. It stays pending once it is cancelled. */
export function patientDelay(ms: number): { delay: Promise<void>; cancel: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = new PatientTimer(ms, resolve);
  return { delay: promise, cancel: () => timer.stop() };
}
