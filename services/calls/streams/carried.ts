import type { ServerWebSocket } from "bun";
import type { Redis } from "ioredis";
import { messageOf } from "../../../lib/core/errors.ts";
import { sleep } from "../../../lib/core/time.ts";
import { CallRefused, takeSlot } from "../flow/core.ts";
import type { CallState } from "../state/call.ts";
import { StreamSession } from "./session.ts";
import type { StreamOptions } from "./session.ts";

export type CarriedStreams = {
  /** Streams on this replica, those included that have not shown their token yet. */
  size(): number;
  /** Calls that this replica carries. */
  live(): number;
  open(callSid: string, socket: ServerWebSocket<unknown>): StreamSession;
  /** Waits until no stream is left, `graceMs` at most; those that are left then are handed over. */
  drain(graceMs: number): Promise<{ handedOver: number }>;
};

export type CarriedOptions = StreamOptions & {
  /** Its reconnection is the moment to bring back what a restarted server forgot. */
  redis: Redis;
  signal: AbortSignal;
  /** How often a call's place is written down: what a killed replica loses of it. */
  checkpointMs?: number;
  /** How often slots are renewed: well below the lease. */
  renewMs: number;
};

/** The streams that this replica carries: their places are written down and their slots renewed together. */
export function createCarriedStreams({
  redis,
  signal,
  checkpointMs = 2000,
  renewMs,
  ...options
}: CarriedOptions): CarriedStreams {
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
    await Promise.all(lost.map((callSid) => takeBack(carried.get(callSid)!)));
  };

  /** A call that is carried and has no slot: its lease ran out while Redis was away, or a new server does not know it. */
  const takeBack = async (session: StreamSession) => {
    // It may have no slot because it has ended.
    await session.checkpoint();
    if (!live.has(session)) return;
    const { call_sid: callSid, business_id, max_concurrent } = session.call as CallState;
    await takeSlot(core, { callSid, line: { business_id, max_concurrent }, carried: true }).catch((error: unknown) => {
      if (!(error instanceof CallRefused)) throw error;
      // It is talked on: whoever speaks is not cut off for a number. The next renewal asks again.
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
  void keep(checkpointMs, checkpoint, "places could not be written down");
  void keep(renewMs, renew, "slots could not be renewed");

  const reconnected = () => {
    core.capacity
      .announce()
      .then(renew)
      .catch((error: unknown) => core.logger.warn({ error: messageOf(error) }, "slots could not be brought back"));
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
