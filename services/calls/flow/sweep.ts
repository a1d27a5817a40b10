import type { Core } from "./core.ts";
import { endCall } from "./end.ts";
import { offerMs } from "./instructions.ts";
import { repeatedly } from "./repeatedly.ts";

/** A call without a change for this long is over. A live call changes more often in every step. */
export const silentMs = offerMs + 30_000;

/** The carrier's longest call. A transferred call reports nothing in all that time. */
const maxCallMs = 24 * 3_600_000;

const batch = 200;

/** Ends calls whose end the carrier never reported, and writes ends to Postgres that are not written yet. */
export async function sweepCalls(core: Core, silent = silentMs): Promise<number> {
  let swept = 0;
  for (const { callSid, heardAt } of await core.store.stale(silent, batch)) {
    const { call, nowMs } = await core.store.read(callSid);
    if (call === null) {
      await core.store.written(callSid);
    } else if (call.step === "ended") {
      await core.archive.write(call);
    } else if (call.exit === "transfer" && nowMs - call.started_at < maxCallMs) {
      // Refresh the call, so that it moves behind calls that have waited longer.
      await core.store.change(callSid, () => ({}));
      continue;
    } else if ((await core.store.heardAt(callSid)) !== heardAt) {
      // With a slow Postgres the list is outdated by now. The call has changed since, so it is still live.
      continue;
    } else {
      core.logger.warn({ call_sid: callSid, step: call.step }, "the carrier never reported the end of the call");
      await endCall(core, callSid, { at: heardAt, version: call.version });
    }
    swept += 1;
  }
  return swept;
}

/** Sweeps until the signal aborts. Ending a call is idempotent, so every replica may sweep. */
export function keepSweeping(core: Core, { everyMs, signal }: { everyMs: number; signal: AbortSignal }): Promise<void> {
  return repeatedly(() => sweepCalls(core), {
    everyMs,
    signal,
    logger: core.logger,
    failure: "the sweep of calls failed",
  });
}
