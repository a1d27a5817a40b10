import { messageOf } from "../../../lib/core/errors.ts";
import { forBusiness, recordCall } from "../../../lib/db/index.ts";
import type { CallOutcome, Database, EndedCall } from "../../../lib/db/index.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { CallState } from "../state/call.ts";
import { isFinal } from "../state/call.ts";
import type { CallStore } from "../state/store.ts";
import type { CarrierStatus } from "../twilio/forms.ts";
import { within } from "../within.ts";

export type Archive = {
  /** Writes the end of a call to Postgres. False: it cannot be reached; the sweep writes it later. */
  write(call: CallState): Promise<boolean>;
};

/** The carrier waits for the answer to its callback; the sweep does not mind to come later. */
const patienceMs = 3000;

export function createArchive({
  db,
  store,
  logger,
}: {
  db: Database;
  store: Pick<CallStore, "written">;
  logger: Logger;
}): Archive {
  return {
    write: async (call) => {
      try {
        await within(
          patienceMs,
          recordCall(forBusiness(db, call.business_id), endedCall(call)),
          "The database does not answer in time.",
        );
        await store.written(call.call_sid);
        return true;
      } catch (error) {
        logger.warn({ error: messageOf(error), call_sid: call.call_sid }, "the call's end is not written yet");
        return false;
      }
    },
  };
}

/** The row of a call that ended. */
export function endedCall(call: CallState): EndedCall {
  const endedAt = call.ended_at ?? call.started_at;
  const talkedMs = call.answered_at === null ? 0 : Math.max(0, endedAt - call.answered_at);
  return {
    call_sid: call.call_sid,
    direction: call.direction,
    from_number: call.from,
    to_number: call.to,
    status: outcomeOf(call.status),
    streams: call.stream,
    transferred_to: call.transfer_to,
    started_at: new Date(call.started_at),
    answered_at: call.answered_at === null ? null : new Date(call.answered_at),
    ended_at: new Date(endedAt),
    duration_s: call.duration_s ?? Math.round(talkedMs / 1000),
  };
}

function outcomeOf(status: CarrierStatus): CallOutcome {
  if (!isFinal(status)) return "lost";
  return (status === "no-answer" ? "no_answer" : status) as CallOutcome;
}
