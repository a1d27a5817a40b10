import { messageOf } from "../../../lib/core/errors.ts";
import { sleep } from "../../../lib/core/time.ts";
import type { Core } from "./core.ts";
import { endCall } from "./end.ts";
import { offerMs } from "./instructions.ts";

/** A call that nobody heard of for this long is over: longer than any step of a live one goes without a change. */
export const silentMs = offerMs + 30_000;

/** The longest that a call may last at the carrier: one that was transferred is silent to us all that time. */
const longestCallMs = 24 * 3_600_000;

const batch = 200;

/** Ends calls whose end was never announced, and writes down ends that Postgres has not taken yet. */
export async function sweepCalls(core: Core, silent = silentMs): Promise<number> {
  let swept = 0;
  for (const { callSid, heardAt } of await core.store.stale(silent, batch)) {
    const { call, nowMs } = await core.store.read(callSid);
    if (call === null) {
      await core.store.written(callSid);
    } else if (call.step === "ended") {
      await core.archive.write(call);
    } else if (call.exit === "transfer" && nowMs - call.started_at < longestCallMs) {
      // Seen to: it goes behind those that wait longer.
      await core.store.change(callSid, () => ({}));
      continue;
    } else if ((await core.store.heardAt(callSid)) !== heardAt) {
      // The list is old by now, where Postgres is slow: the call was heard of since, and goes on.
      continue;
    } else {
      core.logger.warn({ call_sid: callSid, step: call.step }, "the call's end was never announced");
      await endCall(core, callSid, { at: heardAt, version: call.version });
    }
    swept += 1;
  }
  return swept;
}

/** Sweeps at intervals until the signal aborts. Replicas sweep each for itself: what two of them do to one call is done once. */
export async function keepSweeping(
  core: Core,
  { everyMs, signal }: { everyMs: number; signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    // Apart from each other, so that replicas that started together do not look at the same moment.
    await sleep(everyMs * (0.75 + Math.random() / 2), signal).catch(() => {});
    if (signal.aborted) return;
    await sweepCalls(core).catch((error: unknown) =>
      core.logger.warn({ error: messageOf(error) }, "the sweep could not be done"),
    );
  }
}
