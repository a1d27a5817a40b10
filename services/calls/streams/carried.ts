import type { ServerWebSocket } from "bun";
import type { Redis } from "ioredis";
import { messageOf } from "../../../lib/core/errors.ts";
import { sleep } from "../../../lib/core/time.ts";
import { CallRefused, takeSlot } from "../flow/core.ts";
import type { CallState } from "../state/call.ts";
import { StreamSession } from "./session.ts";
import type { StreamOptions } from "./session.ts";

export type CarriedStreams = {
  /** Streams on this replica, unauthenticated ones included. */
  size(): number;
  /** Calls that this replica carries. */
  live(): number;
  open(callSid: string, socket: ServerWebSocket<unknown>): StreamSession;
  /** Waits for all streams to end, at most `graceMs`; then hands the rest over. */
  drain(graceMs: number): Promise<{ handedOver: number }>;
};

export type CarriedOptions = StreamOptions & {
  /** When it reconnects, slots that a restarted server lost are taken again. */
  redis: Redis;
  signal: AbortSignal;
  /** Renewal interval of slots, well below the lease. */
  renewMs: number;
};

/** Checkpoint interval: the progress of a call that a killed replica loses. */
const checkpointMs = 2_000;

/** The streams that this replica carries: saves their progress and renews their slots in batches. */
export function createCarriedStreams({ redis, signal, renewMs, ...options }: CarriedOptions): CarriedStreams {
  const { core } = options;
  const sessions = new Set<StreamSession>();
  const live = new Set<StreamSession>();
  const on = {
    live: (session: StreamSession) => void live.add(session),
    over: (session: StreamSession) => {
      sessions.delete(session);
      live.delete(session);
    },
  };

  const checkpoint = async () => {
    const now = performance.now();
    for (const session of live) session.checkIdle(now);
    await Promise.all([...live].map((session) => session.checkpoint()));
  };

  const renew = async () => {
    const carried = new Map([...live].map((session) => [session.callSid, session]));
    const slots = [...carried.values()].map(({ call }) => ({ callSid: call!.call_sid, businessId: call!.business_id }));
    const lost = await core.capacity.renew(slots);
    await Promise.all(lost.map((callSid) => readmit(carried.get(callSid)!)));
  };

  /** Takes a slot for a carried call whose lease expired during an outage, or was lost with a Redis server. */
  const readmit = async (session: StreamSession) => {
    // A call that has ended has no slot either.
    await session.checkpoint();
    if (!live.has(session)) return;
    const { call_sid: callSid, business_id, max_concurrent } = session.call as CallState;
    await takeSlot(core, { callSid, line: { business_id, max_concurrent }, carried: true }).catch((error: unknown) => {
      if (!(error instanceof CallRefused)) throw error;
      // The conversation continues without a slot. The next renewal tries again.
      core.metrics.withoutSlot();
      core.logger.warn({ call_sid: callSid }, "a carried call has no slot");
    });
  };

  const keep = async (everyMs: number, work: () => Promise<void>, what: string) => {
    while (!signal.aborted) {
      await work().catch((error: unknown) => core.logger.warn({ error: messageOf(error) }, what));
      await sleep(everyMs, signal).catch(() => {});
    }
  };
  void keep(checkpointMs, checkpoint, "checkpoints could not be saved");
  void keep(renewMs, renew, "slots could not be renewed");

  const reconnected = () => {
    core.capacity
      .announce()
      .then(renew)
      .catch((error: unknown) => core.logger.warn({ error: messageOf(error) }, "slots could not be taken again"));
  };
  redis.on("ready", reconnected);
  signal.addEventListener("abort", () => redis.off("ready", reconnected), { once: true });

  return {
    size: () => sessions.size,
    live: () => live.size,
    open: (callSid, socket) => {
      const session = new StreamSession(callSid, socket, options, on);
      sessions.add(session);
      return session;
    },
    drain: async (graceMs) => {
      const end = performance.now() + graceMs;
      while (sessions.size > 0 && performance.now() < end) await sleep(Math.min(100, graceMs));
      const left = [...sessions];
      await Promise.all(left.map((session) => session.handOver()));
      return { handedOver: left.length };
    },
  };
}
