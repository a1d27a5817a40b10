import type { Redis } from "ioredis";
import { messageOf } from "../../../lib/core/errors.ts";
import { publishEvents } from "../../../lib/events/index.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { CallState } from "../state/call.ts";

export type CallEvent = "call.started" | "call.resumed" | "call.ended";

/** Tells consoles and screens of a call. They look, nothing depends on them: an event that cannot be told is let go. */
export function createTeller({ redis, logger }: { redis: Redis; logger: Logger }) {
  return (event: CallEvent, call: CallState): void => {
    const { call_sid, business_id, direction, from, to, status, stream, duration_s } = call;
    const data = { call_sid, direction, from, to, status, streams: stream, duration_s };
    publishEvents(redis, [{ business_id, event, at: new Date().toISOString(), data }]).catch((error: unknown) => {
      logger.warn({ error: messageOf(error), call_sid }, "an event could not be told");
    });
  };
}
