import { PatientTimer } from "../../../lib/runtime/patient_timer.ts";

/** Less than the 20 s for which Baileys waits, during which no other message of the account could be prepared. */
const deadlineMs = 8_000;
/** The code of a query that was not answered. */
export const noAnswer = 408;

/** WhatsApp did not answer a query. Carries its code as Baileys' errors do. */
export class NoAnswer extends Error {
  readonly data = noAnswer;

  constructor() {
    super("WhatsApp did not answer a query in time");
  }
}

/** Fails if WhatsApp does not answer in time. The query's late answer still fills the caches. */
export async function answered<T>(question: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = new PatientTimer(deadlineMs, () => late.reject(new NoAnswer()));
  try {
    return await Promise.race([question, late.promise]);
  } finally {
    timer.stop();
  }
}
