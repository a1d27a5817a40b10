import { AppError, messageOf } from "../../../lib/core/errors.ts";
import { within } from "../../../lib/core/time.ts";
import { atomically, forBusiness, recordCall } from "../../../lib/db/index.ts";
import type { CallOutcome, Database, EndedCall } from "../../../lib/db/index.ts";
import { emit } from "../../../lib/events/index.ts";
import type { Emitted, PublishEvents } from "../../../lib/events/index.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { CallState } from "../state/call.ts";
import { isFinal } from "../state/call.ts";
import type { CallStore } from "../state/store.ts";
import type { CarrierStatus } from "../twilio/forms.ts";
import { callEvent } from "./call_events.ts";

export type Archive = {
  /**
   * Writes the end of a call to Postgres, with the webhook deliveries of `call.ended`. Returns false if Postgres is
   * unavailable: the sweep writes it later.
   */
  write(call: CallState, options?: ArchiveOptions): Promise<boolean>;
};

export type ArchiveOptions = {
  /** True if live streams receive `call.ended` too. False for a call in Redis: endCall has published it already. */
  toStream?: boolean;
};

/** Timeout of the write, because the carrier waits for the answer to its callback. The sweep retries later. */
const writeTimeoutMs = 3000;

export function createArchive({
  db,
  store,
  publishEvents,
  logger,
}: {
  db: Database;
  store: Pick<CallStore, "written">;
  publishEvents: PublishEvents;
  logger: Logger;
}): Archive {
  return {
    write: async (call, { toStream = false } = {}) => {
      try {
        const late = () => new AppError("unavailable", "The database did not answer in time.");
        const { webhookIds, entries } = await within(writeTimeoutMs, writeEnd(db, call), late);
        await publishEvents({ webhookIds, entries: toStream ? entries : [] });
        await store.written(call.call_sid);
        return true;
      } catch (error) {
        logger.warn(
          { error: messageOf(error), call_sid: call.call_sid },
          "cannot write the end of the call yet; the sweep retries",
        );
        return false;
      }
    },
  };
}

/** Emits the event only if the row is new: the sweep may write a call again. */
function writeEnd(db: Database, call: CallState): Promise<Emitted> {
  return atomically(forBusiness(db, call.business_id), async (tx) => {
    const isNew = await recordCall(tx, endedCall(call));
    return emit(tx, isNew ? [callEvent("call.ended", call)] : []);
  });
}

/** Builds the row of a call that ended. */
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
